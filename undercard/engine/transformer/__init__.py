"""The transformer: blocks that stream, fused kernels and four-bit layers."""
