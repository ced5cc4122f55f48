"""From planned keyframes to accepted takes: conditioning, attempts, repairs and what is kept."""
