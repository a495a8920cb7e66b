from torch import Tensor


def pixels(frames: Tensor) -> Tensor:
    """uint8 (…, H, W, 3) to float32 (…, 3, H, W) from -1 to 1."""
    return frames.movedim(-1, -3).float() / 127.5 - 1
