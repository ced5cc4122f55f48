"""Qwen-Image-Edit taken apart: from checkpoints on disk to pictures, on cards of any size.

files/        checkpoints, LoRAs and quantised files on disk: where each tensor lies, what it is called
formats/      storage formats of a weight, one file each, decoded where it is needed
kernels/      Triton kernels and how they are launched
weights/      blocks in host memory: encoded, packed, pinned, changed by LoRAs; modulation tables
streaming/    blocks on their way to the card while it computes
transformer/  the model as diffusers knows it, its fused blocks and its four-bit layers
vae/          the autoencoder, whole or in seamless tiles
text/         prompts to embeddings
stages/       open, encode, denoise, decode
card          which card, how much of it may be taken, how much was
faults        torch's and CUDA's errors as undercard's
copy_speed    run as a child, prints how fast host memory reaches the card
"""
