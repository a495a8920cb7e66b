"""Runs of all attempts on a case, and their measures, some against the exact truth."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import cv2
import numpy as np
import torch

from jobs.evaluation.measures import background, centroid_error, psnr
from jobs.evaluation.models import clip_folder, is_joint, preset_of
from jobs.evaluation.paper.cases import PaperCase, alone
from jobs.evaluation.paper.methods import Attempt, Method, methods_of
from strmatch import STRMatch, load_backbone
from strmatch.baselines.dmt import DMT
from strmatch.baselines.flowedit import FlowEdit
from strmatch.baselines.sdedit import SDEdit
from strmatch.baselines.settings import (
    DMTSettings,
    FlowEditSettings,
    SDEditSettings,
    UniEditSettings,
    settings_for,
)
from strmatch.baselines.uniedit import UniEdit
from strmatch.metrics.background import BackgroundDifference
from strmatch.metrics.base import Metric, Sample
from strmatch.metrics.clip_similarity import ClipSimilarity
from strmatch.metrics.frame_consistency import FrameConsistency
from strmatch.metrics.motion_error import MotionError
from strmatch.miniature.judge import judge, score_edit
from strmatch.miniature.world import render

METRICS = (
    "frame_consistency",
    "clip_similarity",
    "background_difference",
    "motion_error",
    "fidelity",
    "kept",
    "centroid_px",
    "background_psnr",
    "counterfactual_psnr",
    "seconds",
)
"""Measures of an edit. FC, CS, a substitute of BL, and ME are those of production runs. Against the
exact truth: the share of requested attributes that are met (fidelity) and of others that are kept,
the subject's distance from its path in pixels, and the PSNR in dB of the background and of the
whole. Last: CPU seconds."""

BASELINES: dict[str, tuple[type, type]] = {
    "sdedit": (SDEdit, SDEditSettings),
    "flowedit": (FlowEdit, FlowEditSettings),
    "dmt": (DMT, DMTSettings),
    "uniedit": (UniEdit, UniEditSettings),
}
HIDDEN = 5
"""Side in pixels of the square that grows another object's mask before it is covered."""


@dataclass(frozen=True)
class Shown:
    """A rendered case, with frames uint8 and masks bool."""

    case: PaperCase
    source: np.ndarray
    """uint8 (f, H, W, 3)."""
    truth: np.ndarray
    """uint8 (f, H, W, 3): the counterfactual."""
    alone: np.ndarray
    """uint8 (f, H, W, 3): the counterfactual without other objects."""
    subject: np.ndarray
    """bool (f, H, W)."""
    wanted: np.ndarray
    """bool (f, H, W): the region to edit."""
    changed: np.ndarray
    """bool (f, H, W): the region to edit and that of the counterfactual's subject."""
    others: np.ndarray
    """bool (f, H, W): other objects, with a margin."""
    track: torch.Tensor
    """(f, 2): positions of the counterfactual's subject in pixels."""


def show(case: PaperCase) -> Shown:
    """Renders a case with its masks and its counterfactual."""
    scenes = [case.source, case.target, alone(case.target)]
    rendered = render(scenes, num_frames=case.num_frames)
    source, truth, only = rendered.frames.numpy()
    subject, *others = rendered.masks[0].numpy()
    square = np.ones((HIDDEN, HIDDEN), np.uint8)
    covered = np.zeros_like(subject)
    for other in others:
        covered |= np.stack([cv2.dilate(f.astype(np.uint8), square) for f in other]) > 0
    wanted = ~subject if case.kind == "background" else subject
    changed = wanted if case.kind == "background" else subject | rendered.masks[1, 0].numpy()
    track = rendered.tracks[1, 0]
    return Shown(case, source, truth, only, subject, wanted, changed, covered, track)


class PaperExaminer:
    """Runs methods on cases and measures the results. Built once in each worker.

    Args:
        weights: a string for `load_backbone`.
        threads: number of CPU threads.
        steps: denoising steps of every edit. None: the preset's.
    """

    def __init__(self, weights: str, threads: int = 1, steps: int | None = None) -> None:
        torch.set_num_threads(threads)
        preset = preset_of(weights)
        steps = steps or preset.edit.num_inference_steps
        self.settings = replace(preset.edit, num_inference_steps=steps)
        self.backbone = load_backbone(weights, settings=self.settings)
        self.methods = methods_of(preset, is_joint(weights))
        self.folder = clip_folder(weights)

    @cached_property
    def metrics(self) -> dict[str, Metric]:
        return {
            "frame_consistency": FrameConsistency(),
            "clip_similarity": ClipSimilarity(self.folder),
            "background_difference": BackgroundDifference(),
            "motion_error": MotionError(),
        }

    def __call__(self, case: PaperCase, attempts: Sequence[Attempt]) -> list[dict[str, Any]]:
        """Returns a row per attempt with its name and `METRICS`."""
        shown = show(case)
        rebuilt = self.backbone.decode(self.backbone.encode(shown.source))
        inversions: dict[str, Any] = {}
        rows = []
        for attempt in attempts:
            method = self.methods[attempt.method]
            began = time.process_time()
            edited = self.edit(shown, method, attempt.strength, inversions)
            seconds = time.process_time() - began
            measured = self.measure(shown, rebuilt, edited)
            rows.append({"attempt": attempt.name, "seconds": seconds} | measured)
        return rows

    def edit(
        self, shown: Shown, method: Method, strength: float, inversions: dict[str, Any]
    ) -> np.ndarray:
        """Edits the case. `inversions` is a cache that the methods of an editor share."""
        source_prompt, target_prompt = shown.case.prompts
        settings = method.settings(strength)
        editor = self._editor(method.editor, settings)
        if method.editor not in inversions:
            inversions[method.editor] = editor.invert(shown.source, source_prompt)
        mask = shown.wanted if method.masked else None
        changes = settings if method.editor == "str_match" else {}
        inversion = inversions[method.editor]
        result = editor.edit(inversion, target_prompt, mask=mask, **changes)
        return result.frames

    def _editor(self, name: str, settings: dict[str, Any]) -> Any:
        if name == "str_match":
            return STRMatch(self.backbone, self.settings)
        editor, kind = BASELINES[name]
        return editor(self.backbone, settings_for(kind, self.settings, **settings))

    def measure(self, shown: Shown, rebuilt: np.ndarray, edited: np.ndarray) -> dict[str, float]:
        """Returns the `METRICS` of an edit except its seconds.

        Args:
            rebuilt: the source after the autoencoder, the reference of the background.
        """
        case = shown.case
        sample = Sample(shown.source, edited, shown.changed, *case.prompts)
        only = np.where(shown.others[..., None], shown.alone, edited)
        seen = judge(torch.from_numpy(only)[None])
        score = score_edit(seen.verdicts[0], case.source, case.target)
        height, width = self.backbone.pixel_size(1, 1)
        size = (edited.shape[1] // height, edited.shape[2] // width)
        outside = background(shown.changed, size, self.settings.mask_dilation)
        return {name: metric(sample) for name, metric in self.metrics.items()} | {
            "fidelity": float(np.mean(list(score.asked.values()))),
            "kept": float(np.mean(list(score.kept.values()))),
            "centroid_px": centroid_error(seen.tracks[0], shown.track),
            "background_psnr": psnr(edited, rebuilt, outside),
            "counterfactual_psnr": psnr(edited, shown.truth),
        }
