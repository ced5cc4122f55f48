"""Which shot shows when, and what players show of that."""
