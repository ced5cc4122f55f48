"""Backends that render in processes of their own, one a card."""
