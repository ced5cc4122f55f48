"""The film: a timeline, what moves between keyframes, and ffmpeg."""
