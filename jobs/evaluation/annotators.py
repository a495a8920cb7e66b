"""The suite `annotators`: the embedded annotators on rendered clips without metadata."""

import re
import time
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast, get_args

import numpy as np

from jobs.evaluation.chain import Chain
from jobs.evaluation.figures import Figure, mean, share
from jobs.evaluation.report import interval_row, show
from jobs.evaluation.several_objects import (
    Several,
    figures_of_several,
    judge_several,
    scene_of_several,
)
from jobs.evaluation.tables import TextTable
from pipelines.config.loading import load_config
from pipelines.errors import Rejected
from pipelines.media import masks
from pipelines.media.encode import decode_video, encode_video
from pipelines.plugins import find
from pipelines.rows import Row
from pipelines.stages.caption import name_subject
from pipelines.trackers.miniature import MiniatureTracker
from strmatch.miniature.scenes import HARDER_KINDS, Kind, Scene, attributes, caption, sample_scene
from strmatch.miniature.splits import Split
from strmatch.miniature.vocabulary import BACKGROUNDS, COLOURS, MOTIONS, SHAPES
from strmatch.miniature.world import render

TRACKERS = ("contrast", "motion")
HARDER_SHARE, SEVERAL_SHARE = 10, 5
"""Core clips per additional clip of each harder kind, which only the trackers annotate, and of each
kind of two figures."""


@dataclass(frozen=True)
class Case:
    """A clip to render, identified by kind, seed and list."""

    kind: Kind | Several
    seed: int
    split: Split

    def scene(self) -> Scene:
        if self.kind in get_args(Several):
            return scene_of_several(cast(Several, self.kind), self.seed, self.split)
        return sample_scene(self.seed, self.split, cast(Kind, self.kind))


def draw_cases(clips: int, split: Split, seed: int) -> list[Case]:
    """Returns `clips` core cases, 1 + `clips` // `HARDER_SHARE` of every harder kind, and
    1 + `clips` // `SEVERAL_SHARE` of every kind of `Several`."""
    kinds: list[Kind | Several] = ["core"] * clips
    for kind in HARDER_KINDS:
        kinds += [kind] * (1 + clips // HARDER_SHARE)
    for several in get_args(Several):
        kinds += [several] * (1 + clips // SEVERAL_SHARE)
    return [Case(kind, seed * 1_000_000 + i, split) for i, kind in enumerate(kinds)]


class Annotators:
    """The annotation stages of the default configuration, in one process.

    Args:
        weights: a model with a SAM2 to compare with the trackers. None: trackers only.
    """

    def __init__(self, weights: str | None = None) -> None:
        self.config = config = load_config()
        self.chain = Chain(config)
        self.several = Chain(load_config(assignments=["annotate.objects_per_edit=2"]))
        self.trackers = {name: find("tracker", name)(config) for name in TRACKERS}
        if weights:
            self.trackers["miniature sam2"] = MiniatureTracker.load(weights)

    def annotate(self, case: Case) -> Row:
        """Returns one clip's scores: overlaps and seconds of trackers, and those of the chain.

        Clips of two figures have scores of the chain alone.
        """
        scene = case.scene()
        rendered = render([scene])
        fps, crf = self.config.clip.fps, self.config.clip.crf
        video = encode_video(rendered.frames[0].numpy(), fps, crf)
        exact = rendered.masks[0].numpy()
        if case.kind in get_args(Several):
            clip = {"source_video": video, "clip_id": f"{case}"}
            return {"kind": case.kind} | judge_several(self.several, clip, scene, exact)
        overlaps, seconds = self._compare(video, scene, exact[0])
        row = {"kind": kind_of(case, scene), "overlap": overlaps, "seconds": seconds}
        if case.kind == "core":
            row |= self._chain(video, scene, exact[0], f"{case}")
        return row

    def _compare(
        self, video: bytes, scene: Scene, exact: np.ndarray
    ) -> tuple[dict[str, float], dict[str, float]]:
        """Runs each tracker with the true subject, which the caption names first.

        Returns:
            Overlap, and seconds of CPU time, by tracker.
        """
        frames = decode_video(video)
        told = name_subject({"subject": None, "source_prompt": caption(scene)})["subject"]
        overlaps, seconds = {}, {}
        for name, tracker in self.trackers.items():
            began = time.process_time()
            mask = tracker(frames, told)
            seconds[name] = time.process_time() - began
            overlaps[name] = overlap(mask, exact)
        return overlaps, seconds

    def _chain(self, video: bytes, scene: Scene, exact: np.ndarray, clip_id: str) -> Row:
        asked = ("caption", "subject", "mask", "targets")
        row: Row = dict.fromkeys(asked) | {"source_video": video, "clip_id": clip_id}
        wrong = dict.fromkeys(("colour", "shape", "motion", "background"), False)
        try:
            row |= self.chain.caption(row)
            row |= name_subject(row)
            right = said_right(row["source_prompt"], scene)
        except Rejected as error:
            return wrong | {"mask": 0.0, "targets": [False], "said": str(error)}
        try:
            mask = self.chain.track(row)["mask"]
        except Rejected:
            mask = None
        targets = self.chain.target(row)["targets"]
        return right | {
            "mask": overlap(None if mask is None else masks.decode(mask), exact),
            "targets": [is_exact(row["source_prompt"], target) for target in targets],
            "said": row["source_prompt"],
        }


def kind_of(case: Case, scene: Scene) -> str:
    """Returns the kind by which trackers are compared. Still subjects are a separate kind."""
    still = case.kind == "core" and scene.sprites[0].motion == "still"
    return "core, still" if still else case.kind


def overlap(mask: np.ndarray | None, exact: np.ndarray) -> float:
    """Returns the intersection over union, 0–1, of masks bool (f, H, W). Without a mask: 0."""
    return 0.0 if mask is None else masks.overlap(mask, exact)


def said_right(text: str, scene: Scene) -> dict[str, bool]:
    """Returns for each attribute whether the caption names it, and no other value of it."""
    wanted = attributes(scene)
    words = text.split()
    motions = [name for name, phrase in MOTIONS.items() if re.search(rf"\b{phrase}\b", text)]
    longest = max(motions, key=lambda name: len(MOTIONS[name]), default=None)
    return {
        "colour": [word for word in words if word in COLOURS] == [wanted.colour],
        "shape": [word for word in words if word in SHAPES] == [wanted.shape],
        "motion": longest == wanted.motion,
        "background": [word for word in words if word in BACKGROUNDS] == [wanted.background],
    }


def is_exact(prompt: str, target: Row) -> bool:
    """Returns whether a target is the prompt with the words swapped and the articles agreeing."""
    swapped = prompt.replace(target["source_word"], target["target_word"], 1)
    articles = ("a", "an")
    same = [w for w in swapped.split() if w not in articles] == [
        w for w in target["prompt"].split() if w not in articles
    ]
    words = target["prompt"].split()
    agree = all(
        word == ("an" if after[0] in "aeiou" else "a")
        for word, after in pairwise(words)
        if word in articles
    )
    return same and agree and target["prompt"] != prompt


def figures(rows: list[Row]) -> dict[str, Any]:
    """Returns the figures of the suite from the scores of the clips."""
    several = [row for row in rows if row["kind"] in get_args(Several)]
    rows = [row for row in rows if row["kind"] not in get_args(Several)]
    compared = list(rows[0]["overlap"])
    core = [row for row in rows if "said" in row]
    kinds = sorted({row["kind"] for row in rows})
    by_tracker: dict[str, dict[str, Figure]] = {
        name: {
            kind: mean([row["overlap"][name] for row in rows if row["kind"] == kind])
            for kind in kinds
        }
        for name in compared
    }
    return {
        "mask_iou": mean([row["mask"] for row in core]),
        **{
            f"caption_{name}": share([row[name] for row in core])
            for name in ("colour", "shape", "motion", "background")
        },
        "target_exact": share([exact for row in core for exact in row["targets"]]),
        **figures_of_several(several),
        "mask_iou_by_tracker": by_tracker,
        "cpu_seconds_by_tracker": {
            name: mean([row["seconds"][name] for row in rows]) for name in compared
        },
    }


def tables(results: dict[str, Any]) -> list[TextTable]:
    """One table of the chain's figures, and one of every tracker's masks by the kind of clip."""
    figures_of = [(name, value) for name, value in results.items() if isinstance(value, Figure)]
    chain = TextTable(
        ["figure", "value", "95 % interval"],
        [interval_row(name, figure) for name, figure in figures_of],
    )
    return [chain, trackers(results)]


def trackers(results: dict[str, Any]) -> TextTable:
    """Every tracker's mask IoU by kind of clip, and its seconds of one core a clip."""
    by_tracker = results["mask_iou_by_tracker"]
    kinds = list(next(iter(by_tracker.values())))
    rows = []
    for name, figures_of in by_tracker.items():
        seconds = results["cpu_seconds_by_tracker"][name].value
        cells = [show("mask_iou", figures_of[kind].value) for kind in kinds]
        rows.append([name, *cells, f"{seconds:.2f} s"])
    return TextTable(["mask_iou", *kinds, "a clip"], rows)
