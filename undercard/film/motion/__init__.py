"""How the stills of a shot become its frames, and how one shot becomes the next."""
