"""The edits that methods are compared on: seven kinds, in turn."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from strmatch.miniature.scenes import Scene, attributes, sample_scene, scene_of, with_attributes
from strmatch.miniature.splits import Attributes, Split, combinations, partners

FAST = 30.0
"""Pixels over a clip. The world's moving figures go 24 to 32."""

CHANGED: dict[str, tuple[str, ...]] = {
    "recolour": ("colour",),
    "reshape": ("shape",),
    "both": ("shape", "colour"),
    "background": ("background",),
    "fast_motion": ("shape", "colour"),
    "two_objects": ("shape", "colour"),
    "size_change": ("shape", "colour"),
}
"""What an edit of each kind is asked to change. Of two objects it is the one that is named first;
where the size changes, the figure grows or shrinks by half over the clip: what the authors name as
a limitation."""


@dataclass(frozen=True)
class PaperCase:
    """A clip and what it shall become."""

    kind: str
    source: Scene
    target: Scene
    """The counterfactual: the same scene with the attributes that are asked for."""


def draw_case(index: int, split: Split, seed: int) -> PaperCase:
    """The case with this index; what is asked of the clip and what it shows are of the list."""
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
    """The scene with its subject and nothing before it."""
    return replace(scene, sprites=scene.sprites[:1])
