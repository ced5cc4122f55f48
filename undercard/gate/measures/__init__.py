"""What several checks measure in a picture."""
