"""The flows, one file each, named for their result."""
