"""Wan through a ComfyUI: its files, its graphs, its server and what comes of them."""
