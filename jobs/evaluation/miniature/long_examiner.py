"""Edits of clips that are longer than a window, beside windows that are edited on their own."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from jobs.evaluation.measures import background, psnr
from jobs.evaluation.miniature.cases import EditCase
from jobs.evaluation.miniature.examiner import Clip, against_truth
from jobs.evaluation.models import preset_of
from strmatch import STRMatch, load_backbone
from strmatch.metrics.drift import drift
from strmatch.metrics.seam import seam, window_borders
from strmatch.miniature.world import render
from strmatch.sampling.windows import Window, find_windows


class LongExaminer:
    """Edits long clips with the exact mask, and measures the results.

    Args:
        weights: a string for `load_backbone`.
        overrides: fields of the edit settings that differ from the preset's.
    """

    def __init__(self, weights: str, **overrides: Any) -> None:
        self.preset = preset_of(weights)
        self.settings = replace(self.preset.edit, **overrides)
        self.backbone = load_backbone(
            weights, settings=self.settings, num_frames=self.preset.num_frames
        )
        self.editor = STRMatch(self.backbone)

    def edit(self, method: str, case: EditCase, index: int) -> list[Clip]:
        """Edit a case by one of `METHODS`."""
        rendered = render([case.source, case.target], num_frames=case.num_frames)
        frames, truth = rendered.frames.numpy()
        mask, changed = rendered.masks[0, 0].numpy(), rendered.masks[1, 0].numpy()
        prompts = case.prompts
        edited = METHODS[method](self, frames, mask, *prompts)
        row: dict[str, Any] = {"source_prompt": prompts[0], "target_prompt": prompts[1]}
        row |= {"num_frames": case.num_frames, "motion": case.source.sprites[0].motion}
        row |= against_truth(case, rendered, edited)
        row["background_psnr"] = self._background_psnr(frames, edited, mask)
        row |= self._over_time(frames, edited, truth, changed)
        return [Clip(f"{method}/{index:04d}", edited, truth, row)]

    def fused(self, frames: np.ndarray, mask: np.ndarray, source: str, target: str) -> np.ndarray:
        """One trajectory of the whole clip, with all windows fused at every step."""
        inversion = self.editor.invert(frames, source)
        return self.editor.edit(inversion, target, mask=mask).frames

    def independent(
        self, frames: np.ndarray, mask: np.ndarray, source: str, target: str
    ) -> np.ndarray:
        """Every window edited on its own, and the edits cross-faded by the same weights."""
        total = np.zeros(frames.shape)
        for window in self._windows(len(frames)):
            part = self.fused(frames[window.frames], mask[window.frames], source, target)
            total[window.frames] += np.reshape(window.weights, (-1, 1, 1, 1)) * part
        return total.round().astype(np.uint8)

    def _windows(self, num_frames: int) -> tuple[Window, ...]:
        stride, weights = self.settings.window_stride, self.settings.window_weights
        return find_windows(num_frames, self.backbone.num_frames, stride, weights)

    def _background_psnr(self, frames: np.ndarray, edited: np.ndarray, mask: np.ndarray) -> float:
        """PSNR of the background against the round trip of the autoencoder, dB."""
        latents = self.backbone.encode(frames)
        size = (latents.shape[3], latents.shape[4])
        outside = background(mask, size, self.settings.mask_dilation)
        return psnr(edited, self.backbone.decode(latents), outside)

    def _over_time(
        self, frames: np.ndarray, edited: np.ndarray, truth: np.ndarray, changed: np.ndarray
    ) -> dict[str, float]:
        """Change at the borders of windows, and change of the subject's colour."""
        windows = self._windows(len(frames))
        borders = window_borders(len(frames), self.backbone.num_frames, self.settings.window_stride)
        within = [
            drift(truth[part], edited[part], changed[part], self.preset.fps)
            for part in (window.frames for window in windows)
        ]
        return {
            "seam": seam(edited, borders),
            "seam_of_truth": seam(truth, borders),
            "drift": drift(truth, edited, changed, self.preset.fps),
            "drift_of_window": float(np.nanmean(within)),
        }


METHODS: dict[str, Callable[..., np.ndarray]] = {
    "fused": LongExaminer.fused,
    "independent": LongExaminer.independent,
}
"""The compared methods, by name."""
