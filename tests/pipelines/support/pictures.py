"""Pictures of which each names its episode, camera and frame, in spite of lossy codecs.

Needs nothing but numpy: the Python of .venv-lerobot imports this module, too.
"""

import numpy as np

SIZE = 64
CELL = 8
BITS = 16


def picture(episode: int, camera: int, frame: int) -> np.ndarray:
    """Returns uint8 (SIZE, SIZE, 3): a code of black and white cells above a moving square."""
    image = np.zeros((SIZE, SIZE, 3), np.uint8)
    image[:] = (40 + 30 * episode) % 200, 80, (40 + 60 * camera) % 200
    at = 4 + 2 * frame % 40
    image[30:46, at : at + 16] = 220, 30, 30
    code = (episode << 12) | (camera << 10) | frame
    for bit in range(BITS):
        row, column = divmod(bit, SIZE // CELL)
        cell = np.s_[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL]
        image[cell] = 255 * (code >> bit & 1)
    return image


def named(image: np.ndarray) -> tuple[int, int, int]:
    """Returns the episode, camera and frame of a decoded picture."""
    code = 0
    for bit in range(BITS):
        row, column = divmod(bit, SIZE // CELL)
        middle = image[row * CELL + 2 : row * CELL + 6, column * CELL + 2 : column * CELL + 6]
        code |= int(middle.mean() > 127) << bit
    return code >> 12, code >> 10 & 3, code & 1023
