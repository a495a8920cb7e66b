"""The cases of the suite, drawn from a list that no model was trained on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Self, get_args

import torch

from strmatch.miniature.long_scenes import MOTION_FRAMES, Course, lasting
from strmatch.miniature.scenes import Scene, attributes, caption, sample_scene, with_attributes
from strmatch.miniature.several import sample_several
from strmatch.miniature.splits import Split, partners
from strmatch.miniature.vocabulary import BACKGROUNDS, COLOURS, SHAPES

KINDS = (("colour",), ("shape",), ("shape", "colour"))


@dataclass(frozen=True)
class EditCase:
    """A clip and its edit of colour, shape or both."""

    source: Scene
    target: Scene
    """The counterfactual: the same scene with the requested attributes."""
    num_frames: int = MOTION_FRAMES

    @property
    def prompts(self) -> tuple[str, str]:
        """The source prompt and the target prompt.

        Prompts of clips that last longer than a motion name none, because sprites turn around.
        """
        unsaid = () if self.num_frames == MOTION_FRAMES else ("motion",)
        return caption(self.source, without=unsaid), caption(self.target, without=unsaid)

    def lasting(self, num_frames: int, course: Course) -> Self:
        """The edit of the same scene with another number of frames, see `long_scenes`."""
        source, target = (
            lasting(scene, num_frames, course) for scene in (self.source, self.target)
        )
        return replace(self, source=source, target=target, num_frames=num_frames)


def draw_scenes(count: int, split: Split, seed: int) -> list[Scene]:
    """Draws `count` scenes with one sprite."""
    return [sample_scene(case_generator(seed, index), split) for index in range(count)]


def draw_pairs(count: int, split: Split, seed: int) -> list[Scene]:
    """Draws `count` scenes with two sprites."""
    return [sample_several(case_generator(seed, index), split, figures=2) for index in range(count)]


def draw_edits(
    count: int, split: Split, seed: int, kinds: Sequence[tuple[str, ...]] = KINDS
) -> list[EditCase]:
    """Draws `count` edits of the scenes of `draw_scenes`, kinds in turn, within the list."""
    return [
        _edit(scene, split, kinds[index % len(kinds)], case_generator(seed, -1 - index))
        for index, scene in enumerate(draw_scenes(count, split, seed))
    ]


def draw_long_edits(
    count: int,
    split: Split,
    seed: int,
    lengths: Sequence[int],
    courses: Sequence[Course] = get_args(Course),
) -> list[EditCase]:
    """Draws the edits of `draw_edits` with these numbers of frames and courses, in turn."""
    return [
        edit.lasting(lengths[index % len(lengths)], courses[index % len(courses)])
        for index, edit in enumerate(draw_edits(count, split, seed))
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
    order = torch.randperm(len(others), generator=case_generator(seed, 0)).tolist()
    return [caption(scene), *(others[index] for index in order[: count - 1])]


def case_generator(seed: int, index: int) -> torch.Generator:
    """The random generator of one of the cases of a seed."""
    return torch.Generator().manual_seed((seed * 1_000_003 + index) % 2**63)
