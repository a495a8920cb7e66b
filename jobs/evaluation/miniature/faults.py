"""Edits that are right, and edits that are wrong in a known way, rendered or mixed from renders."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import cv2
import numpy as np

from strmatch.metrics.base import Sample, Where
from strmatch.miniature.scenes import Kind, Scene, Sprite, caption, sample_scene, with_attributes
from strmatch.miniature.splits import Split
from strmatch.miniature.vocabulary import BACKGROUNDS, COLOURS, SHAPES
from strmatch.miniature.world import render

KINDS: tuple[Kind, ...] = (
    *("core", "two_sprites", "core", "textured", "core", "two_sprites", "harder_motion", "core"),
    "moving_background",
)
"""Kinds of scenes, in turn."""
Change = Literal["colour", "shape", "both", "background"]
CHANGES: tuple[Change, ...] = ("colour", "shape", "both", "background")
RIGHT = "counterfactual"
"""The only outcome that is right."""
FAR = 10.0
"""Pixels by which a subject is displaced."""


@dataclass(frozen=True)
class Examination:
    """A scene, and the counterfactual that an edit of its first sprite asks for."""

    source: Scene
    target: Scene
    change: Change
    rng: np.random.Generator

    @property
    def where(self) -> Where:
        return "background" if self.change == "background" else "subject"

    @property
    def subject(self) -> Sprite:
        """The sprite as the target has it."""
        return self.target.sprites[0]

    def another(self, names: Sequence[str], *than: str) -> str:
        """A random name that is none of those."""
        return str(self.rng.choice([name for name in names if name not in than]))

    def with_subject(self, **changes: Any) -> np.ndarray:
        """Frames of the target with changes to the subject."""
        changed = replace(self.subject, **changes)
        return frames_of(replace(self.target, sprites=(changed, *self.target.sprites[1:])))


def frames_of(scene: Scene) -> np.ndarray:
    """Frames of a scene, uint8 (f, H, W, 3)."""
    return render([scene]).frames[0].numpy()


def draw(index: int, split: Split, seed: int) -> Examination:
    """Draw the scene with a number, whose kind and change follow from the number."""
    rng = np.random.default_rng((seed, index))
    source = sample_scene(int(rng.integers(2**31)), split, KINDS[index % len(KINDS)])
    first, change = source.sprites[0], CHANGES[index % len(CHANGES)]
    wanted: dict[str, Any] = {}
    if change in ("colour", "both"):
        used = {sprite.colour for sprite in source.sprites}
        wanted["colour"] = str(rng.choice([name for name in COLOURS if name not in used]))
    if change in ("shape", "both"):
        wanted["shape"] = str(rng.choice([name for name in SHAPES if name != first.shape]))
    if change == "background":
        others = [name for name in BACKGROUNDS if name != source.background]
        wanted["background"] = str(rng.choice(others))
    return Examination(source, with_attributes(source, **wanted), change, rng)


def outcomes(case: Examination) -> dict[str, np.ndarray]:
    """The frames of every outcome that differs from the counterfactual, and of that itself."""
    right, source = frames_of(case.target), frames_of(case.source)
    made = {name: make(case, source, right) for name, make in FAULTS.items()}
    return {RIGHT: right} | {
        name: frames
        for name, frames in made.items()
        if frames is not None and not np.array_equal(frames, right)
    }


def sample(case: Examination, source: np.ndarray, edited: np.ndarray) -> Sample:
    """An outcome beside its source, with the exact mask."""
    mask = render([case.source]).masks[0, 0].numpy()
    region = ~mask if case.where == "background" else mask
    prompts = caption(case.source), caption(case.target)
    return Sample(source, edited, region, *prompts, case.where)


Fault = Callable[[Examination, np.ndarray, np.ndarray], np.ndarray | None]
"""Makes frames from a case, the source's frames and the right ones; None: does not apply."""


def unchanged(case: Examination, source: np.ndarray, right: np.ndarray) -> np.ndarray:
    return source


def wrong_colour(case: Examination, source: np.ndarray, right: np.ndarray) -> np.ndarray:
    used = (sprite.colour for sprite in (*case.target.sprites, *case.source.sprites))
    return case.with_subject(colour=case.another(tuple(COLOURS), *used))


def wrong_figure(case: Examination, source: np.ndarray, right: np.ndarray) -> np.ndarray:
    shapes = (case.subject.shape, case.source.sprites[0].shape)
    return case.with_subject(shape=case.another(SHAPES, *shapes))


def wrong_pattern(case: Examination, source: np.ndarray, right: np.ndarray) -> np.ndarray:
    used = (case.target.background, case.source.background)
    background = case.another(tuple(BACKGROUNDS), *used)
    return frames_of(with_attributes(case.target, background=background))


def noise(case: Examination, source: np.ndarray, right: np.ndarray) -> np.ndarray:
    return case.rng.integers(0, 256, right.shape).astype(np.uint8)


def coloured_noise(case: Examination, source: np.ndarray, right: np.ndarray) -> np.ndarray:
    return _blurred(noise(case, source, right), 3)


def destroyed(case: Examination, source: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The right subject over noise, a blurred pattern or a plain colour."""
    ground = (
        noise(case, source, right),
        _blurred(right, 6),
        np.broadcast_to(case.rng.integers(0, 256, 3).astype(np.uint8), right.shape),
    )[int(case.rng.integers(3))]
    subject = render([case.target]).masks[0, 0].numpy()
    return np.where(subject[..., None], right, ground)


def frozen(case: Examination, source: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The right subject at one of its places."""
    time = float(case.rng.choice((0.0, 0.5, 1.0)))
    x, y, size = case.subject.pose(time)
    return case.with_subject(motion="still", start=(x, y), size=size, displacement=0.0)


def frozen_clip(case: Examination, source: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.repeat(right[:1], len(right), axis=0)


def reversed_motion(case: Examination, source: np.ndarray, right: np.ndarray) -> np.ndarray:
    return right[::-1].copy()


def displaced(case: Examination, source: np.ndarray, right: np.ndarray) -> np.ndarray:
    x, y = case.subject.start
    return case.with_subject(start=(x + (FAR if x < 32 else -FAR), y))


def half_faded(case: Examination, source: np.ndarray, right: np.ndarray) -> np.ndarray:
    return ((right.astype(int) + source + 1) // 2).astype(np.uint8)


def hardly_faded(case: Examination, source: np.ndarray, right: np.ndarray) -> np.ndarray:
    return ((3 * right.astype(int) + 7 * source.astype(int) + 5) // 10).astype(np.uint8)


def half_of_the_frames(case: Examination, source: np.ndarray, right: np.ndarray) -> np.ndarray:
    middle = len(right) // 2
    return np.concatenate([source[:middle], right[middle:]])


def vanished(case: Examination, source: np.ndarray, right: np.ndarray) -> np.ndarray:
    return case.with_subject(start=(-500.0, -500.0), motion="still")


def another_figure(case: Examination, source: np.ndarray, right: np.ndarray) -> np.ndarray:
    """A further figure where the subject is not."""
    x, y = (min(max((at + 32) % 64, 12), 52) for at in case.subject.start)
    colour = case.another(tuple(COLOURS), *(sprite.colour for sprite in case.target.sprites))
    further = replace(case.subject, colour=colour, start=(x, y), size=18.0, motion="still")
    return frames_of(replace(case.target, sprites=(further, *case.target.sprites)))


def edit_of_another(case: Examination, source: np.ndarray, right: np.ndarray) -> np.ndarray | None:
    """The requested look for the second figure instead of the first."""
    if len(case.source.sprites) == 1 or case.change == "background":
        return None
    look = {"colour": case.subject.colour, "shape": case.subject.shape}
    return frames_of(with_attributes(case.source, sprite=1, **look))


def blurred(case: Examination, source: np.ndarray, right: np.ndarray) -> np.ndarray:
    return _blurred(right, 3)


FAULTS: dict[str, Fault] = {
    "unchanged": unchanged,
    "wrong colour": wrong_colour,
    "wrong figure": wrong_figure,
    "wrong pattern": wrong_pattern,
    "noise": noise,
    "coloured noise": coloured_noise,
    "destroyed background": destroyed,
    "frozen subject": frozen,
    "frozen clip": frozen_clip,
    "reversed": reversed_motion,
    "displaced": displaced,
    "half faded": half_faded,
    "hardly faded": hardly_faded,
    "half of the frames": half_of_the_frames,
    "vanished": vanished,
    "another figure": another_figure,
    "edit of another": edit_of_another,
    "blurred": blurred,
}


def _blurred(frames: np.ndarray, sigma: float) -> np.ndarray:
    return np.stack([cv2.GaussianBlur(frame, (0, 0), sigma) for frame in frames])
