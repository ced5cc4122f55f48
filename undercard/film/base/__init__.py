"""Pictures, time and ffmpeg: what the rest of the film is made with."""
