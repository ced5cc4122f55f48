"""From frames to MP4, piece by piece, and to other codecs and shapes."""
