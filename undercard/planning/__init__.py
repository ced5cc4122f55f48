"""What a run has to do, on which rung of which backend, how long it takes and how much memory."""
