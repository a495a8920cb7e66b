"""Edits of all objects of a clip, and scenes in which only some of them are edited."""

from collections.abc import Collection
from dataclasses import replace

import torch

from jobs.evaluation.miniature.cases import EditCase, case_generator
from strmatch.miniature.scenes import Scene, attributes, sample_scene, with_attributes
from strmatch.miniature.several import sample_several
from strmatch.miniature.splits import Split, partners

CHANGED = ("shape", "colour")
"""The attributes of every object that an edit changes."""


def draw_object_edits(count: int, split: Split, seed: int, objects: int = 2) -> list[EditCase]:
    """Draw edits of all objects of clips with two or three.

    Clips of two objects are of the kind `two_objects` of the paper suite. Source and target
    combinations are of the list `split`. Targets have different colours where the list allows.
    """
    cases = []
    for index in range(count):
        generator = case_generator(seed, 11 + index)
        if objects == 2:
            source = sample_scene(generator, split, "two_sprites")
        else:
            source = sample_several(generator, split, objects)
        cases.append(_all_edited(source, split, generator))
    return cases


def _all_edited(source: Scene, split: Split, generator: torch.Generator) -> EditCase:
    target = source
    for sprite in range(len(source.sprites)):
        used = {other.colour for other in target.sprites}
        choices = partners(attributes(source, sprite), split, CHANGED)
        choices = tuple(wanted for wanted in choices if wanted.colour not in used) or choices
        wanted = choices[int(torch.randint(len(choices), (), generator=generator))]
        target = with_attributes(target, shape=wanted.shape, colour=wanted.colour, sprite=sprite)
    return EditCase(source, target)


def edited_alone(case: EditCase, edited: Collection[int]) -> Scene:
    """The counterfactual in which only the objects `edited` differ from the source."""
    pairs = enumerate(zip(case.source.sprites, case.target.sprites, strict=True))
    sprites = tuple(target if index in edited else source for index, (source, target) in pairs)
    return replace(case.source, sprites=sprites)


def only(scene: Scene, index: int) -> Scene:
    """The scene with one of its objects as the only one."""
    return replace(scene, sprites=(scene.sprites[index],))
