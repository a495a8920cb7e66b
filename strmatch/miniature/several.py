"""Scenes of two and three figures, apart or with one that passes in front of another."""

import math
from dataclasses import replace

import torch

from strmatch.miniature.scenes import Draw, Scene, Sprite, place
from strmatch.miniature.shapes import RADII, REACH
from strmatch.miniature.splits import Attributes, Split, combinations

MAX_SIZES = {2: 23.0, 3: 20.0}
"""Largest size of a figure in a scene of two and of three figures, in pixels."""
CROSSING = 0.3
"""Share of scenes in which one figure passes in front of another."""
GAP = 2.0
"""Smallest distance of figures that do not touch, in pixels."""
MOST_TOUCHING = 9
"""Largest number of frames in which figures touch. In the others every figure is seen whole."""
DEPTH = 7.0
"""Smallest overlap of figures that cross, in pixels."""
FRAMES = 16
TRIES = 16


def sample_several(
    generator: torch.Generator | int, split: Split = "train", figures: int = 2
) -> Scene:
    """Sample a scene of two or three figures over one background.

    The combination of every figure is of the list. Figures differ in colour, so that captions tell
    figures apart. In three of ten scenes, one figure passes in front of another. Which of the two
    is in front is random. Otherwise figures do not touch.

    Args:
        generator: random generator on the CPU, or a seed.
        split: list of combinations.
        figures: number of figures, 2 or 3.
    """
    draw = Draw(generator)
    crosses = draw.between(0.0, 100.0) < 100 * CROSSING
    scene = None
    while scene is None:
        scene = _place_all(_combinations(figures, split, draw), crosses, draw)
    return scene


def _combinations(figures: int, split: Split, draw: Draw) -> list[Attributes]:
    """Combinations of the list with one background and different colours."""
    drawn = [draw.choice(combinations(split))]
    while len(drawn) < figures:
        others = [
            other
            for other in combinations(split)
            if other.background == drawn[0].background
            and other.colour not in {one.colour for one in drawn}
        ]
        drawn.append(draw.choice(others))
    return drawn


def _place_all(drawn: list[Attributes], crosses: bool, draw: Draw) -> Scene | None:
    """A scene whose figures are apart, or of which the last crosses another. None if none fits."""
    largest = MAX_SIZES[len(drawn)]
    scene = place(drawn[0], draw, largest)
    for combination in drawn[1:]:
        crossing = crosses and combination is drawn[-1]
        tries = (place(combination, draw, largest).sprites[0] for _ in range(TRIES))
        fitting = (one for one in tries if _fits(one, scene.sprites, crossing))
        sprite = next(fitting, None)
        if sprite is None:
            return None
        layer = draw.choice(range(len(scene.sprites) + 1))
        sprites = (*scene.sprites[:layer], sprite, *scene.sprites[layer:])
        scene = replace(scene, sprites=sprites)
    return scene


def _fits(sprite: Sprite, others: tuple[Sprite, ...], crossing: bool) -> bool:
    """Whether a figure crosses one of the others, or is apart from all of them."""
    gaps = (
        min(distance(sprite, other, frame / (FRAMES - 1)) for other in others)
        for frame in range(FRAMES)
    )
    if not crossing:
        return all(gap >= GAP for gap in gaps)
    touching = [gap for gap in gaps if gap < GAP]
    return min(touching, default=GAP) <= -DEPTH and len(touching) <= MOST_TOUCHING


def distance(one: Sprite, other: Sprite, time: float) -> float:
    """Lower bound of the distance between two figures at `time`, negative if they may overlap.

    The larger of the distances between their circumscribed circles and between their boxes.
    """
    (x, y, size), (other_x, other_y, other_size) = one.pose(time), other.pose(time)
    across, down = abs(x - other_x), abs(y - other_y)
    circles = RADII[one.shape] * size + RADII[other.shape] * other_size
    boxes = _half_box(one.shape) * size + _half_box(other.shape) * other_size
    return max(math.hypot(across, down) - circles, max(across, down) - boxes)


def _half_box(shape: str) -> float:
    """Largest extent of a shape from its centroid along x or y, as a share of the size."""
    return REACH if shape == "triangle" else 0.5
