"""Stub for now."""

BF16 = "qwen-image-edit-2511-bf16.safetensors"
