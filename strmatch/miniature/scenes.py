"""Scenes, their captions, and random sampling of scenes."""

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import torch

from strmatch.miniature.motions import shift
from strmatch.miniature.shapes import REACH
from strmatch.miniature.splits import Attributes, Split, combinations
from strmatch.miniature.vocabulary import (
    BACKGROUNDS,
    COLOURS,
    CORE_MOTIONS,
    MOTIONS,
    SHAPES,
    TEXTURES,
)

T = TypeVar("T")
Kind = Literal["core", "two_sprites", "textured", "harder_motion", "moving_background"]
HARDER_KINDS: tuple[Kind, ...] = ("two_sprites", "textured", "harder_motion", "moving_background")

WORLD_SIZE = 64
MIN_SIZE, MAX_SIZE = 18.0, 30.0
MIN_DISPLACEMENT, MAX_DISPLACEMENT = 24.0, 32.0
PHASES = ((0, 0), (8, 0))


@dataclass(frozen=True)
class Sprite:
    """One flat figure. Lengths are pixels of a 64×64 world with pixel centres at integers."""

    shape: str
    colour: str
    motion: str
    size: float
    """Larger side of the bounding box in the first frame."""
    start: tuple[float, float]
    """(x, y) of the centroid in the first frame."""
    displacement: float
    """Distance or growth during one motion, see `motions.shift`."""
    texture: str = "plain"
    phase: float = 0.0
    """Start position on the circle, in turns."""
    turn: float = 1.0
    """Time at which the sprite turns around, and turns around again after the same time. At 1 the
    sprite stays inside the frame. A later turn lets the sprite leave and come back. A circle has no
    turn."""

    def __post_init__(self) -> None:
        _check("shape", self.shape, SHAPES)
        _check("colour", self.colour, COLOURS)
        _check("motion", self.motion, MOTIONS)
        _check("texture", self.texture, TEXTURES)

    def pose(self, time: float) -> tuple[float, float, float]:
        """(x, y, size) at `time`, in motions: 0 is the first frame, 1 the end of the motion."""
        if self.motion != "circle" and time > self.turn:
            time = self.turn - abs(time % (2 * self.turn) - self.turn)
        change = shift(self.motion, self.displacement, self.phase, time)
        return self.start[0] + change.x, self.start[1] + change.y, self.size + change.size


@dataclass(frozen=True)
class Scene:
    """Complete deterministic description of a clip."""

    sprites: tuple[Sprite, ...]
    """Sprites from back to front."""
    background: str
    phase: tuple[int, int] = (0, 0)
    """Shift of the pattern in pixels to the right and down."""
    drift: tuple[float, float] = (0.0, 0.0)
    """Displacement (x, y) of the pattern during one motion, in pixels."""
    duration: float = 1.0
    """Length of the clip in motions. A motion takes 16 frames, from frame 0 to frame 15."""

    def __post_init__(self) -> None:
        _check("background", self.background, BACKGROUNDS)


def _check(what: str, name: str, known: Iterable[str]) -> None:
    if name not in known:
        raise ValueError(f"unknown {what} {name!r}: one of {', '.join(known)}")


def caption(scene: Scene, without: Collection[str] = ()) -> str:
    """Caption of a scene, such as "a red circle moving right over bricks".

    Args:
        scene: the scene to describe.
        without: names of `Attributes` to omit. A caption without motion describes a single frame,
            such as "a red circle over bricks".
    """
    words = " and ".join(_describe(sprite, without) for sprite in scene.sprites)
    if "background" not in without:
        words += f" over {scene.background}"
    direction = _drift_direction(scene.drift)
    return f"{words} drifting {direction}" if direction and "motion" not in without else words


def _describe(sprite: Sprite, without: Collection[str]) -> str:
    words = [
        "" if sprite.texture == "plain" else sprite.texture,
        "" if "colour" in without else sprite.colour,
        "shape" if "shape" in without else sprite.shape,
        "" if "motion" in without else MOTIONS[sprite.motion],
    ]
    said = " ".join(filter(None, words))
    return f"{'an' if said[0] in 'aeiou' else 'a'} {said}"


def _drift_direction(drift: tuple[float, float]) -> str:
    x, y = drift
    if abs(x) >= abs(y):
        return "right" if x > 0 else "left" if x < 0 else ""
    return "down" if y > 0 else "up"


def caption_words() -> set[str]:
    """All words used in captions."""
    words = {
        "a",
        "an",
        "and",
        "over",
        "drifting",
        "shape",
        *SHAPES,
        *COLOURS,
        *BACKGROUNDS,
        *TEXTURES,
    }
    words.remove("plain")
    return words.union(*(phrase.split() for phrase in MOTIONS.values()))


def attributes(scene: Scene, sprite: int = 0) -> Attributes:
    """The four attributes of one sprite that a caption names."""
    subject = scene.sprites[sprite]
    return Attributes(subject.shape, subject.colour, subject.motion, scene.background)


def with_attributes(
    scene: Scene,
    *,
    shape: str | None = None,
    colour: str | None = None,
    background: str | None = None,
    sprite: int = 0,
) -> Scene:
    """Counterfactual scene with other attributes of `sprite` or of the background."""
    subject = scene.sprites[sprite]
    changed = replace(subject, shape=shape or subject.shape, colour=colour or subject.colour)
    sprites = (*scene.sprites[:sprite], changed, *scene.sprites[sprite + 1 :])
    return replace(scene, sprites=sprites, background=background or scene.background)


def sample_scene(
    generator: torch.Generator | int,
    split: Split = "train",
    kinds: Kind | Literal["harder"] = "core",
) -> Scene:
    """Sample a scene with a combination of attributes from one of the three lists.

    Args:
        generator: random generator on the CPU, or a seed.
        split: list of combinations.
        kinds: "core", one of the harder kinds, or "harder" for any harder kind.
    """
    draw = Draw(generator)
    kind = draw.choice(HARDER_KINDS) if kinds == "harder" else kinds
    combination = draw.choice(combinations(split))
    if kind == "two_sprites":
        return _two_sprites(combination, split, draw)
    if kind == "harder_motion":
        motion = draw.choice([name for name in MOTIONS if name not in CORE_MOTIONS])
        combination = combination._replace(motion=motion)
    scene = place(combination, draw)
    if kind == "textured":
        texture = draw.choice([name for name in TEXTURES if name != "plain"])
        return replace(scene, sprites=(replace(scene.sprites[0], texture=texture),))
    if kind == "moving_background":
        way = draw.between(4.0, 8.0) * draw.choice((-1, 1))
        return replace(scene, drift=draw.choice(((way, 0.0), (0.0, way))))
    return scene


def scene_of(combination: Attributes, generator: torch.Generator | int) -> Scene:
    """Sample a scene with one sprite of the given attributes."""
    return place(combination, Draw(generator))


def place(combination: Attributes, draw: "Draw", max_size: float = MAX_SIZE) -> Scene:
    """A scene with one sprite that stays inside the frame for every shape."""
    shape, colour, motion, background = combination
    size = largest = draw.between(MIN_SIZE, max_size)
    displacement = phase = 0.0
    if motion in ("grow", "shrink"):
        smallest, displacement = draw.between(18.0, 20.0), draw.between(8.0, 10.0)
        largest = smallest + displacement
        size = smallest if motion == "grow" else largest
    elif motion != "still":
        room = WORLD_SIZE - 2 - 2 * REACH * largest
        displacement = draw.between(MIN_DISPLACEMENT, min(MAX_DISPLACEMENT, room))
    if motion == "circle":
        phase = draw.between(0.0, 1.0)
    times = range(61) if motion in ("circle", "zigzag") else (0, 60)
    path = [shift(motion, displacement, phase, time / 60) for time in times]
    margin = 0.5 + REACH * largest
    x, y = (
        draw.between(margin - min(way), WORLD_SIZE - 1 - margin - max(way))
        for way in ([point.x for point in path], [point.y for point in path])
    )
    sprite = Sprite(shape, colour, motion, size, (x, y), displacement, phase=phase)
    return Scene((sprite,), background, phase=draw.choice(PHASES))


def _two_sprites(combination: Attributes, split: Split, draw: "Draw") -> Scene:
    """Two small sprites of different colours, in the placement of eight that overlaps least."""
    other = draw.choice(
        [
            candidate
            for candidate in combinations(split)
            if candidate.background == combination.background
            and candidate.colour != combination.colour
        ]
    )
    scenes = []
    for _ in range(8):
        back, front = (place(one, draw, max_size=22.0) for one in (combination, other))
        scenes.append(replace(back, sprites=back.sprites + front.sprites))
    return max(scenes, key=_clearance)


def _clearance(scene: Scene) -> float:
    """Smallest distance between the centroids of the two sprites over the clip."""
    first, second = scene.sprites
    poses = ((first.pose(frame / 15), second.pose(frame / 15)) for frame in range(16))
    return min(math.dist(one[:2], other[:2]) for one, other in poses)


class Draw:
    """Random choices. Numbers are multiples of 1/16, hence short and exact."""

    def __init__(self, generator: torch.Generator | int) -> None:
        if isinstance(generator, int):
            generator = torch.Generator().manual_seed(generator)
        self.generator = generator

    def choice(self, values: Sequence[T]) -> T:
        return values[int(torch.randint(len(values), (), generator=self.generator))]

    def between(self, low: float, high: float) -> float:
        first, last = math.ceil(low * 16), math.floor(high * 16)
        return int(torch.randint(first, max(last, first) + 1, (), generator=self.generator)) / 16
