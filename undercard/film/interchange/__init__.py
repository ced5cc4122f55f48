"""The film for other editors."""
