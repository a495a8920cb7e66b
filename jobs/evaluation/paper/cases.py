"""The cases that methods are compared on: eight kinds of edits, in turn."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import get_args

import torch

from jobs.evaluation.miniature.cases import EditCase
from strmatch.miniature.long_scenes import Course
from strmatch.miniature.scenes import Scene, attributes, sample_scene, scene_of, with_attributes
from strmatch.miniature.splits import Attributes, Split, combinations, partners

FAST = 30.0
"""Least displacement of fast motion, in pixels a clip. Moving sprites cover 24 to 32."""

CHANGED: dict[str, tuple[str, ...]] = {
    "recolour": ("colour",),
    "reshape": ("shape",),
    "both": ("shape", "colour"),
    "background": ("background",),
    "fast_motion": ("shape", "colour"),
    "two_objects": ("shape", "colour"),
    "size_change": ("shape", "colour"),
    "long": ("shape", "colour"),
}
"""The attributes that an edit of each kind changes. `two_objects` edits the object that is named
first. In `size_change` the subject grows or shrinks by half over the clip, which the authors name
as a limitation. In `long` the clip has `LONG_FRAMES` frames, in which the subject turns around, or
leaves the frame and comes back."""
LONG_FRAMES = 32


@dataclass(frozen=True, kw_only=True)
class PaperCase(EditCase):
    """A clip and its edit, of one of the kinds in `CHANGED`."""

    kind: str


def draw_case(index: int, split: Split, seed: int) -> PaperCase:
    """Draws the case with this index. Source and target combinations are of the list `split`."""
    kinds = list(CHANGED)
    kind = kinds[index % len(kinds)]
    generator = torch.Generator().manual_seed((seed * 1_000_003 + 7 + index) % 2**63)
    source, combination = _SOURCES.get(kind, _core)(generator, split)
    choices = partners(combination, split, CHANGED[kind])
    wanted = choices[int(torch.randint(len(choices), (), generator=generator))]
    target = with_attributes(
        source, shape=wanted.shape, colour=wanted.colour, background=wanted.background
    )
    case = PaperCase(source, target, kind=kind)
    if kind != "long":
        return case
    courses = get_args(Course)
    return case.lasting(
        LONG_FRAMES, courses[int(torch.randint(len(courses), (), generator=generator))]
    )


def _core(generator: torch.Generator, split: Split) -> tuple[Scene, Attributes]:
    scene = sample_scene(generator, split)
    return scene, attributes(scene)


def _fast(generator: torch.Generator, split: Split) -> tuple[Scene, Attributes]:
    scene = sample_scene(generator, split)
    while scene.sprites[0].displacement < FAST:
        scene = sample_scene(generator, split)
    return scene, attributes(scene)


def _two(generator: torch.Generator, split: Split) -> tuple[Scene, Attributes]:
    scene = sample_scene(generator, split, "two_sprites")
    return scene, attributes(scene)


def _resized(generator: torch.Generator, split: Split) -> tuple[Scene, Attributes]:
    every = combinations(split)
    combination = every[int(torch.randint(len(every), (), generator=generator))]
    motion = ("grow", "shrink")[int(torch.randint(2, (), generator=generator))]
    return scene_of(combination._replace(motion=motion), generator), combination


_SOURCES: dict[str, Callable[[torch.Generator, Split], tuple[Scene, Attributes]]] = {
    "fast_motion": _fast,
    "two_objects": _two,
    "size_change": _resized,
}


def alone(scene: Scene) -> Scene:
    """Returns the scene with its subject as the only sprite."""
    return replace(scene, sprites=scene.sprites[:1])
