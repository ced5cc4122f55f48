"""Kernels for CUDA devices: `launch` calls them, `triton_kernels` holds them; Triton comes with torch's CUDA builds."""
