"""Positions and sizes of a sprite over time."""

import math
from typing import NamedTuple

# Screen coordinates: x grows to the right, y downwards.
DIRECTIONS: dict[str, tuple[float, float]] = {
    "left": (-1.0, 0.0),
    "right": (1.0, 0.0),
    "up": (0.0, -1.0),
    "down": (0.0, 1.0),
    "up-left": (-math.sqrt(0.5), -math.sqrt(0.5)),
    "up-right": (math.sqrt(0.5), -math.sqrt(0.5)),
    "down-left": (-math.sqrt(0.5), math.sqrt(0.5)),
    "down-right": (math.sqrt(0.5), math.sqrt(0.5)),
}


class Shift(NamedTuple):
    """Change since the first frame, in pixels."""

    x: float
    y: float
    size: float


def shift(motion: str, displacement: float, phase: float, time: float) -> Shift:
    """Change of a sprite at `time`.

    Args:
        motion: name of the motion.
        displacement: pixels: distance along a direction, diameter of a circle, width of a zigzag,
            or change of the size.
        phase: start position on the circle, in turns.
        time: from 0 (first frame) to 1 (last frame).

    Raises:
        ValueError: unknown motion.
    """
    if motion in DIRECTIONS:
        x, y = DIRECTIONS[motion]
        return Shift(x * displacement * time, y * displacement * time, 0.0)
    if motion == "circle":
        start, now = math.tau * phase, math.tau * (phase + time)
        radius = displacement / 2
        return Shift(
            radius * (math.cos(now) - math.cos(start)),
            radius * (math.sin(now) - math.sin(start)),
            0.0,
        )
    if motion == "zigzag":
        # Up and down twice while crossing to the right.
        up_and_down = 2 * abs(2 * time % 1 - 0.5) - 0.5
        return Shift(displacement * time, displacement / 2 * (up_and_down - 0.5), 0.0)
    if motion == "grow":
        return Shift(0.0, 0.0, displacement * time)
    if motion == "shrink":
        return Shift(0.0, 0.0, -displacement * time)
    if motion == "still":
        return Shift(0.0, 0.0, 0.0)
    raise ValueError(f"unknown motion {motion!r}")
