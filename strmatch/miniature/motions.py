"""Where a sprite is at each moment of its clip."""

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
    """The change since the clip's start, in pixels."""

    x: float
    y: float
    size: float


def shift(motion: str, displacement: float, phase: float, time: float) -> Shift:
    """What `motion` has done at `time`, from 0 (first frame) to 1 (last frame).

    Args:
        displacement: pixels: the way along a direction, a circle's diameter, a zigzag's width,
            or by how much a sprite grows or shrinks.
        phase: where on its circle the sprite starts, in turns.
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
