"""From accepted takes to the film: pieces, sound cues, clips, deliveries, and the way back from an editor."""
