"""Frames as the models take them."""

from torch import Tensor


def to_unit_range(frames: Tensor) -> Tensor:
    """Convert uint8 (…, H, W, 3) to float32 (…, 3, H, W) from -1 to 1."""
    return frames.movedim(-1, -3).float() / 127.5 - 1
