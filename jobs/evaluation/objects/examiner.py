"""Edits of objects by region, in a union, or one after the other, and their measures."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
import torch

from jobs.evaluation.measures import background, centroid_error, psnr
from jobs.evaluation.miniature.cases import EditCase
from jobs.evaluation.miniature.examiner import Clip
from jobs.evaluation.models import preset_of
from jobs.evaluation.objects.cases import edited_alone, only
from strmatch import Region, STRMatch, load_backbone
from strmatch.metrics.colour_difference import dilated
from strmatch.miniature.judge import judge
from strmatch.miniature.scenes import Scene, attributes, caption
from strmatch.miniature.world import Rendered, render

HIDDEN = 2
"""Pixels around another object that are covered before an object is judged."""


@dataclass(frozen=True)
class Choice:
    """The prompts and borders of an edit by region."""

    named_by: Literal["words", "noun", "caption", "whole"] = "words"
    """Target prompt of a region. words: of the object in the caption of all objects. noun: these
    without the motion. caption: of the object alone, with the background. whole: the caption of all
    objects."""
    dilates: bool = True
    """Whether masks are dilated as in the preset, or not at all."""


DEFAULT = Choice()


class Shown(NamedTuple):
    """A rendered case and the objects that are edited."""

    case: EditCase
    edited: tuple[int, ...]
    """Indices of the edited objects."""
    truth: Scene
    """The counterfactual in which these are edited."""
    rendered: Rendered
    """Source and counterfactual."""

    @property
    def source(self) -> np.ndarray:
        """uint8 (f, H, W, 3)."""
        return self.rendered.frames[0].numpy()

    @property
    def masks(self) -> np.ndarray:
        """The objects in the source, bool (objects, f, H, W)."""
        return self.rendered.masks[0].numpy()


def show(case: EditCase, edited: Sequence[int]) -> Shown:
    """Render a case in which only the objects `edited` change."""
    truth = edited_alone(case, edited)
    return Shown(case, tuple(edited), truth, render([case.source, truth]))


class ObjectsExaminer:
    """Edits objects of clips with exact masks, and measures the results.

    Args:
        weights: a string for `load_backbone`.
        overrides: fields of the edit settings that differ from the preset's.
    """

    def __init__(self, weights: str, **overrides: Any) -> None:
        self.settings = replace(preset_of(weights).edit, **overrides)
        self.backbone = load_backbone(weights, settings=self.settings)
        self.editor = STRMatch(self.backbone)

    def edit(self, method: str, case: EditCase, index: int) -> list[Clip]:
        """Edit a case by one of `METHODS`."""
        edited = (0,) if method == "one" else tuple(range(len(case.source.sprites)))
        return self._measured(method, show(case, edited), index, METHODS[method])

    def choose(self, label: str, case: EditCase, index: int, choice: Choice) -> list[Clip]:
        """Edit all objects of a case by region, with the prompts and borders of a choice."""
        shown = show(case, range(len(case.source.sprites)))
        method = partial(ObjectsExaminer.by_region, choice=choice)
        return self._measured(label, shown, index, method)

    def by_region(self, shown: Shown, choice: Choice = DEFAULT) -> np.ndarray:
        """Edit the objects in one pass, each as a region with words of its own."""
        return self.editor.edit(
            self.editor.invert(shown.source, caption(shown.case.source)),
            [
                Region(shown.masks[index], _prompt(shown.truth, index, choice.named_by))
                for index in shown.edited
            ],
            joint_prompt=caption(shown.truth),
            mask_dilation=self.settings.mask_dilation if choice.dilates else 1,
        ).frames

    def by_caption(self, shown: Shown) -> np.ndarray:
        """Edit the union of the objects by the caption of the counterfactual."""
        mask = np.logical_or.reduce(shown.masks[list(shown.edited)])
        return self._plain(shown.source, shown.case.source, shown.truth, mask)

    def in_sequence(self, shown: Shown) -> np.ndarray:
        """Edit the objects by caption one after another, each in the frames of the edit before."""
        frames, before = shown.source, shown.case.source
        for count, index in enumerate(shown.edited, start=1):
            after = edited_alone(shown.case, shown.edited[:count])
            frames = self._plain(frames, before, after, shown.masks[index])
            before = after
        return frames

    def _plain(
        self, frames: np.ndarray, before: Scene, after: Scene, mask: np.ndarray
    ) -> np.ndarray:
        """Edit the masked part of a clip by the caption of the whole clip.

        Args:
            frames: uint8 (f, H, W, 3).
            before, after: what the clip shows before and after the edit.
            mask: bool (f, H, W).
        """
        inversion = self.editor.invert(frames, caption(before))
        return self.editor.edit(inversion, caption(after), mask=mask).frames

    def _measured(
        self, name: str, shown: Shown, index: int, method: Callable[..., np.ndarray]
    ) -> list[Clip]:
        began = time.process_time()
        edited = method(self, shown)
        row = {"seconds": time.process_time() - began} | self.measure(shown, edited)
        truth = shown.rendered.frames[1].numpy()
        return [Clip(f"{name}/{index:04d}", edited, truth, row)]

    def measure(self, shown: Shown, edited: np.ndarray) -> dict[str, Any]:
        """Compare an edit with its counterfactual, object by object.

        Args:
            shown: the case.
            edited: uint8 (f, H, W, 3).

        Returns:
            Lists with an entry per edited object: asked_colour, asked_shape and centroid_px. Lists
            with an entry per other object: untouched (colour and shape are the source's) and
            untouched_psnr (its pixels against the round trip of the autoencoder, dB). right: all
            edited objects have colour and shape as asked. background_psnr and counterfactual_psnr
            in dB.
        """
        latents = self.backbone.encode(shown.source)
        rebuilt = self.backbone.decode(latents)
        objects = range(len(shown.truth.sprites))
        others = [index for index in objects if index not in shown.edited]
        verdicts, tracks = zip(*(self._judged(shown, edited, i) for i in objects), strict=True)
        wanted = [attributes(shown.truth, index) for index in objects]
        colour = [seen.colour == of.colour for seen, of in zip(verdicts, wanted, strict=True)]
        shape = [seen.shape == of.shape for seen, of in zip(verdicts, wanted, strict=True)]
        everything = shown.masks.any(axis=0) | shown.rendered.masks[1].any(dim=0).numpy()
        size = (latents.shape[3], latents.shape[4])
        outside = background(everything, size, self.settings.mask_dilation)
        return {
            "source_prompt": caption(shown.case.source),
            "target_prompt": caption(shown.truth),
            "seen": [verdict._asdict() for verdict in verdicts],
            "asked_colour": [colour[index] for index in shown.edited],
            "asked_shape": [shape[index] for index in shown.edited],
            "right": all(colour[index] and shape[index] for index in shown.edited),
            "centroid_px": [
                centroid_error(tracks[index], shown.rendered.tracks[1, index])
                for index in shown.edited
            ],
            "untouched": [colour[index] and shape[index] for index in others],
            "untouched_psnr": [psnr(edited, rebuilt, shown.masks[index]) for index in others],
            "background_psnr": psnr(edited, rebuilt, outside),
            "counterfactual_psnr": psnr(edited, shown.rendered.frames[1].numpy()),
        }

    def _judged(self, shown: Shown, edited: np.ndarray, index: int) -> tuple[Any, torch.Tensor]:
        """Recognise one object, with the others covered by the counterfactual without them.

        Returns:
            The attributes of the object, and its track (f, 2).
        """
        others = [other for other in range(len(shown.masks)) if other != index]
        covered = shown.rendered.masks[:, others].any(dim=1).any(dim=0).numpy()
        covered = np.stack([dilated(mask, HIDDEN) for mask in covered])
        alone = render([only(shown.truth, index)]).frames[0].numpy()
        seen = judge(torch.from_numpy(np.where(covered[..., None], alone, edited))[None])
        return seen.verdicts[0], seen.tracks[0]


def _prompt(scene: Scene, index: int, named_by: str) -> str:
    if named_by == "whole":
        return caption(scene)
    without = {"caption": (), "words": ("background",), "noun": ("background", "motion")}
    return caption(only(scene, index), without=without[named_by])


METHODS: dict[str, Callable[..., np.ndarray]] = {
    "one": ObjectsExaminer.by_caption,
    "regions": ObjectsExaminer.by_region,
    "union": ObjectsExaminer.by_caption,
    "sequence": ObjectsExaminer.in_sequence,
    "three": ObjectsExaminer.by_region,
}
"""The compared methods, by name. `one` edits the first of two objects, the others edit all. `three`
is for clips of three objects."""
