"""Hold pieces and film against what was drawn and against the timeline."""
