"""Blocks on their way to the card."""
