"""The embedded default: boxers posed, lit and ray-traced on the CPU, with the maps that diffusion models follow.

`figure` turns a placed fighter into meshes and joints · `ring` builds the ring · `cameras` and `poses` hold the named
ones · `render` draws a staging into a `Frame`.
"""
