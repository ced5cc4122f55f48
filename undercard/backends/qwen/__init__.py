"""What the backends of our own engine share: published and quantised weights, rungs, costs and the renderer."""
