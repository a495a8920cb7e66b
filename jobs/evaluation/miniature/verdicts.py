"""Measures edits whose truth is known: rendered outcomes, and edits of the embedded model."""

from typing import Any

import numpy as np

from jobs.evaluation.annotators import Case
from jobs.evaluation.chain import Chain
from jobs.evaluation.miniature import faults
from jobs.evaluation.miniature.truth import counterfactual, shows
from pipelines import plugins
from pipelines.config.loading import load_config
from pipelines.editors.base import build_editor
from pipelines.errors import Rejected, RowError
from pipelines.media import masks
from pipelines.media.encode import decode_video, encode_video
from pipelines.rows import Row
from pipelines.stages.caption import name_subject
from pipelines.target_prompt import Kind
from strmatch.metrics.base import Sample
from strmatch.miniature.splits import Split
from strmatch.miniature.world import render

TARGET_KINDS: tuple[Kind, ...] = ("noun_near", "recolour", "background")
"""Kinds of targets that the embedded model supports."""


class VerdictExaminer:
    """The metrics of a preset, and its chain of annotators and editor, in one process.

    Args:
        preset: one of the embedded presets.
    """

    def __init__(self, preset: str) -> None:
        kinds = f"annotate.target_kinds=[{','.join(TARGET_KINDS)}]"
        count = f"annotate.targets_per_clip={len(TARGET_KINDS)}"
        self.config = config = load_config(preset, assignments=[kinds, count])
        self.metrics = {
            name: metric
            for name, metric in plugins.metrics(config).items()
            if name in config.publish.bounds
        }
        self.chain = Chain(config)
        self.editor: Any = None

    def outcomes(self, index: int, split: Split, seed: int) -> list[Row]:
        """Measures every outcome of a scene: the counterfactual and the faults.

        Returns:
            Rows of `outcome`, `change`, `right` and `metrics`.
        """
        case = faults.draw(index, split, seed)
        source = self._stored(faults.frames_of(case.source))
        return [
            {
                "outcome": name,
                "change": case.change,
                "right": name == faults.RIGHT,
                "metrics": self._measure(faults.sample(case, source, self._stored(frames))),
            }
            for name, frames in faults.outcomes(case).items()
        ]

    def edits(self, index: int, split: Split, seed: int) -> list[Row]:
        """Annotates a clip without metadata, edits it to every kind of target, and measures.

        Returns:
            Rows of `kind`, `right` and `metrics`; one row without metrics if the clip is rejected.
        """
        kind = faults.KINDS[index % len(faults.KINDS)]
        scene = Case(kind, seed * 1_000_000 + index, split).scene()
        frames = render([scene]).frames[0].numpy()
        video = encode_video(frames, self.config.clip.fps, self.config.clip.crf)
        asked = ("caption", "subject", "mask", "targets")
        row: Row = dict.fromkeys(asked) | {"source_video": video, "clip_id": f"{index}"}
        try:
            chain = self.chain
            for stage in (chain.caption, name_subject, chain.track, chain.target):
                row |= stage(row)
        except (Rejected, RowError) as error:
            return [{"kind": None, "right": False, "metrics": None, "said": str(error)}]
        self.editor = self.editor or build_editor(plugins.find_editor(self.config), self.config)
        source, prompt = decode_video(video), row["source_prompt"]
        inversion = self.editor.invert(source, prompt)
        rows = []
        for target in row["targets"]:
            region = masks.region(masks.decode(row["mask"]), target["where"])
            edited = self._stored(self.editor.edit(inversion, target["prompt"], region, 0))
            sample = Sample(source, edited, region, prompt, target["prompt"], target["where"])
            wanted = counterfactual(scene, prompt, target["prompt"])
            right = wanted is not None and shows(edited, scene, wanted[1], wanted[0])
            made = {"kind": target["kind"], "said": target["prompt"], "figures": len(scene.sprites)}
            rows.append(made | {"right": right, "metrics": self._measure(sample)})
        return rows

    def _measure(self, sample: Sample) -> dict[str, float]:
        return {name: float(metric(sample)) for name, metric in self.metrics.items()}

    def _stored(self, frames: np.ndarray) -> np.ndarray:
        """Frames as MEASURE reads them."""
        return decode_video(encode_video(frames, self.config.clip.fps, self.config.clip.crf))
