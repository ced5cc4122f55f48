"""Shot list in, fight film out, on an undersized card: the library, which knows no Prefect.

`shotlist` reads what to film, `previz` draws it, `backends` render keyframes, `gate` judges them, `film` cuts them.
"""

__version__ = "0.1.0"
