"""Checkpoints and tensors on disk: where each lies, what it is called, how it is read."""
