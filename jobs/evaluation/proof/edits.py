"""Edits of the training clips by real runs, one an editor, and what their datasets hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jobs.evaluation.miniature.truth import counterfactual, shows
from jobs.evaluation.pool import default_processes
from jobs.evaluation.proof.settings import Setting
from jobs.evaluation.proof.worlds import Sample
from jobs.runs.commands import cluster
from jobs.runs.editors import open_runs, run_all
from pipelines.config.config import Config
from pipelines.config.loading import load_config
from pipelines.media.encode import decode_video, encode_video
from pipelines.storage import Storage
from pipelines.tables.record import SUCCESS
from strmatch.miniature.judge import judge
from strmatch.miniature.splits import Attributes

PRESET = "miniature-fast"
"""Half the time of `miniature`, and edits that are as near to the truth (study `fast`)."""
EDITORS: Mapping[str, tuple[str, ...]] = {
    "str_match": ("editor=str_match",),
    "lambda_0": ("editor=str_match", "edit.lam=0"),
    "sdedit": ("editor=sdedit",),
}
"""Assignments of each editor. The first one finds the clips, and plans the edits of all."""
COLUMNS = ["source_uri", "level", "status", "source_prompt", "target_prompt", "edited_video"]


@dataclass(frozen=True)
class Edited:
    """An edit of a training clip."""

    clip: int
    """Index of its training clip."""
    ok: bool
    """The verdict of the run."""
    frames: np.ndarray
    """uint8 (f, H, W, 3)."""
    kept: bool
    """Whether the judge of the small world recognises the label of the training clip."""
    right: bool
    """Whether the edit shows exactly what its target prompt describes."""


def edit_clips(
    setting: Setting,
    samples: Sequence[Sample],
    frames: np.ndarray,
    output: Storage,
    assignments: Sequence[str] = (),
) -> dict[str, list[Edited]]:
    """Edit training clips by every editor, and read the datasets. A repeated call continues.

    The clips are a folder of videos without metadata: annotators find masks and captions.

    Args:
        setting: names the kind of the target prompts.
        samples: of the clips, in the order of `frames`.
        frames: uint8 (n, f, H, W, 3).
        output: folder or fsspec URI of clips and runs.
        assignments: further settings of all runs.

    Returns:
        By editor, the edits that are ok or rejected.
    """
    configs = {name: config(setting, name, assignments) for name in EDITORS}
    folder, runs = f"clips/{setting.name}", Storage(f"{output}/runs/{setting.name}")
    if not runs.exists(SUCCESS):
        first = next(iter(configs.values()))
        clip, execution = first.clip, first.execution
        for index, one in enumerate(frames):
            name = f"{folder}/{_name(index)}"
            if not output.exists(name):
                output.write(name, encode_video(one, clip.fps, clip.crf))
        with open_runs(runs, configs, f"{output}/{folder}", None) as opened, cluster(execution):
            run_all(opened)
        runs.write(SUCCESS, b"")
    return {name: _read(Storage(f"{runs}/editors/{name}"), samples, setting) for name in configs}


def config(setting: Setting, editor: str, assignments: Sequence[str] = ()) -> Config:
    """Returns the configuration of an editor's run."""
    shared = (
        f"annotate.target_kinds=[{setting.target_kind}]",
        "annotate.targets_per_clip=1",
        f"execution.editors={default_processes()}",
        "execution.report_rows=24",
    )
    return load_config(PRESET, None, [*shared, *EDITORS[editor], *assignments])


def _name(index: int) -> str:
    return f"{index:04d}.mp4"


def _read(run: Storage, samples: Sequence[Sample], setting: Setting) -> list[Edited]:
    places = {_name(index): index for index in range(len(samples))}
    found = []
    for file in run.find("dataset", ".parquet"):
        for row in run.read_table(file, COLUMNS).to_pylist():
            if row["level"] == "edit" and row["edited_video"] is not None:
                found.append(_edited(row, places[row["source_uri"]], samples, setting))
    return sorted(found, key=lambda edit: edit.clip)


def _edited(
    row: Mapping[str, Any], index: int, samples: Sequence[Sample], setting: Setting
) -> Edited:
    import torch

    sample, frames = samples[index], decode_video(row["edited_video"])
    (shown,) = judge(torch.from_numpy(frames)[None]).verdicts
    wanted = counterfactual(sample.scene, row["source_prompt"], row["target_prompt"])
    right = wanted is not None and shows(frames, sample.scene, wanted[1], wanted[0])
    label = shown[Attributes._fields.index(setting.label)]
    return Edited(index, row["status"] == "ok", frames, label == sample.label, right)
