"""The cases of the suite, drawn from a list that no model was trained on."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import torch

from strmatch.miniature.scenes import Scene, attributes, caption, sample_scene, with_attributes
from strmatch.miniature.splits import Split, partners
from strmatch.miniature.vocabulary import BACKGROUNDS, COLOURS, SHAPES

KINDS = (("colour",), ("shape",), ("shape", "colour"))


@dataclass(frozen=True)
class EditCase:
    """A clip and its edit of colour, shape or both."""

    source: Scene
    target: Scene
    """The counterfactual: the same scene with the requested attributes."""


def draw_scenes(count: int, split: Split, seed: int) -> list[Scene]:
    """Draws `count` scenes with one sprite."""
    return [sample_scene(_generator(seed, index), split) for index in range(count)]


def draw_edits(
    count: int, split: Split, seed: int, kinds: Sequence[tuple[str, ...]] = KINDS
) -> list[EditCase]:
    """Draws `count` edits of the scenes of `draw_scenes`, kinds in turn, within the list."""
    return [
        _edit(scene, split, kinds[index % len(kinds)], _generator(seed, -1 - index))
        for index, scene in enumerate(draw_scenes(count, split, seed))
    ]


def _edit(
    source: Scene, split: Split, changed: tuple[str, ...], generator: torch.Generator
) -> EditCase:
    choices = partners(attributes(source), split, changed)
    wanted = choices[int(torch.randint(len(choices), (), generator=generator))]
    target = with_attributes(
        source, shape=wanted.shape, colour=wanted.colour, background=wanted.background
    )
    return EditCase(source, target)


def captions_to_tell_apart(scene: Scene, count: int, seed: int) -> list[str]:
    """Returns the scene's caption, then count − 1 captions with other visible attributes."""
    subject = scene.sprites[0]
    others = [
        caption(with_attributes(scene, shape=shape, colour=colour, background=background))
        for shape, colour, background in product(SHAPES, COLOURS, BACKGROUNDS)
        if (shape, colour, background) != (subject.shape, subject.colour, scene.background)
    ]
    order = torch.randperm(len(others), generator=_generator(seed, 0)).tolist()
    return [caption(scene), *(others[index] for index in order[: count - 1])]


def _generator(seed: int, index: int) -> torch.Generator:
    return torch.Generator().manual_seed((seed * 1_000_003 + index) % 2**63)
