"""Qwen-Image-Edit taken apart: checkpoints, storage formats, block streaming, modulation tables and the stages."""
