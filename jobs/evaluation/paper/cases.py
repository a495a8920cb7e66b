"""The cases that methods are compared on: seven kinds of edits, in turn."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

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
}
"""The attributes that an edit of each kind changes. `two_objects` edits the object that is named
first. In `size_change` the subject grows or shrinks by half over the clip, which the authors name
as a limitation."""


@dataclass(frozen=True)
class PaperCase:
    """A clip and its edit."""

    kind: str
    source: Scene
    target: Scene
    """The counterfactual: the same scene with the requested attributes."""


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
    return PaperCase(kind, source, target)


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
