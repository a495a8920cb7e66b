"""DDIM, and fresh noise at its start."""
