"""From a request to a picture: open, encode, denoise, decode."""
