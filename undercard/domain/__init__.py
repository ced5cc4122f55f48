"""Plain values that every part speaks: what they hold and how they are written, with no behaviour of their own."""
