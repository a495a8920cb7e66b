"""Interpolation of frames, for frame consistency."""
