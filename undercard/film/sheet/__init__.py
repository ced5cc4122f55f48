"""The contact sheet: every keyframe on one picture."""
