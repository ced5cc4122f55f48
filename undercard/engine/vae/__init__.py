"""The autoencoder, whole or in seamless tiles."""
