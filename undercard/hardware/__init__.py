"""What this machine has: cores, memory, cards, and how fast bytes get to a card."""
