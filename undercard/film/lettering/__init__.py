"""What is laid over a shot: titles, lower thirds, clocks, scores, captions."""
