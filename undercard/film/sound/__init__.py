"""What is heard: made, read, mixed and levelled."""
