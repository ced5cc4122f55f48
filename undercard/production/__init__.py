"""What one run does and records."""
