"""Three disjoint lists of core combinations, for training, model selection and final reports."""

from functools import cache
from itertools import product
from typing import Literal, NamedTuple

from strmatch.miniature.vocabulary import BACKGROUNDS, COLOURS, CORE_MOTIONS, SHAPES

Split = Literal["train", "dev", "test"]


class Attributes(NamedTuple):
    """Attributes of a clip with one sprite, from a caption or from `judge`."""

    shape: str
    colour: str
    motion: str
    background: str


@cache
def combinations(split: Split) -> tuple[Attributes, ...]:
    """All combinations of one list in a fixed order."""
    if split == "train":
        held_out = {*combinations("dev"), *combinations("test")}
        every = map(Attributes._make, product(SHAPES, COLOURS, CORE_MOTIONS, BACKGROUNDS))
        return tuple(combination for combination in every if combination not in held_out)
    return tuple(
        combination for index in range(len(CORE_MOTIONS)) for combination in _block(split, index)
    )


def _block(split: Split, index: int) -> list[Attributes]:
    """Two shapes × three colours × two backgrounds that share a motion.

    Blocks are complete, so that the target of every edit of shape, colour or background is in the
    list. Blocks of dev and test share no shape under the same motion, hence are disjoint.
    """
    offset = 0 if split == "dev" else 2
    return [
        Attributes(shape, colour, CORE_MOTIONS[index], background)
        for shape in _take(SHAPES, index + offset, 2)
        for colour in _take(tuple(COLOURS), 3 * index + offset, 3)
        for background in _take(tuple(BACKGROUNDS), index + offset // 2, 2)
    ]


def _take(values: tuple[str, ...], start: int, count: int) -> list[str]:
    """`count` values from position `start` on, cyclically."""
    return [values[(start + step) % len(values)] for step in range(count)]


def partners(
    combination: Attributes, split: Split, changed: tuple[str, ...]
) -> tuple[Attributes, ...]:
    """Combinations of the list that differ from `combination` in exactly the attributes `changed`.

    These combinations are the possible targets of an edit.
    """
    return tuple(
        other
        for other in combinations(split)
        if all(
            (theirs != ours) == (name in changed)
            for name, ours, theirs in zip(Attributes._fields, combination, other, strict=True)
        )
    )
