"""Noise levels, trajectories through them, and the fusion of windows."""
