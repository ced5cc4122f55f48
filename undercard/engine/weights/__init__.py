"""The weights of blocks in host memory: encoded, packed, pinned, and changed by LoRAs."""
