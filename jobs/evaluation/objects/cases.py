"""Edits of all objects of a clip, and scenes in which only some of them are edited."""

from collections.abc import Collection
from dataclasses import replace

import torch

from jobs.evaluation.miniature.cases import EditCase
from jobs.evaluation.paper.cases import CHANGED, PaperCase, draw_case
from strmatch.miniature.scenes import Scene, attributes, with_attributes
from strmatch.miniature.splits import Split, partners

KIND = "two_objects"


def draw_object_edits(count: int, split: Split, seed: int) -> list[EditCase]:
    """Draw the first `count` clips of the paper suite's kind `two_objects`, all objects edited.

    The first object changes as in the paper suite. Each other one changes shape and colour within
    the list, to a colour that no other object of the target has.
    """
    kinds = list(CHANGED)
    indices = range(kinds.index(KIND), count * len(kinds), len(kinds))
    return [_all_edited(draw_case(index, split, seed), index, split, seed) for index in indices]


def _all_edited(case: PaperCase, index: int, split: Split, seed: int) -> EditCase:
    generator = torch.Generator().manual_seed((seed * 1_000_003 + 11 + index) % 2**63)
    target = case.target
    for sprite in range(1, len(case.source.sprites)):
        used = {other.colour for other in target.sprites}
        choices = [
            wanted
            for wanted in partners(attributes(case.source, sprite), split, CHANGED[KIND])
            if wanted.colour not in used
        ]
        wanted = choices[int(torch.randint(len(choices), (), generator=generator))]
        target = with_attributes(target, shape=wanted.shape, colour=wanted.colour, sprite=sprite)
    return EditCase(case.source, target)


def edited_alone(case: EditCase, edited: Collection[int]) -> Scene:
    """The counterfactual in which only the objects `edited` differ from the source."""
    pairs = enumerate(zip(case.source.sprites, case.target.sprites, strict=True))
    sprites = tuple(target if index in edited else source for index, (source, target) in pairs)
    return replace(case.source, sprites=sprites)


def only(scene: Scene, index: int) -> Scene:
    """The scene with one of its objects as the only one."""
    return replace(scene, sprites=(scene.sprites[index],))
