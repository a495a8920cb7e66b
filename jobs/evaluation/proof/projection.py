"""The time that the experiment takes, projected from a few steps of an edit and of a training."""

import time

import torch

from jobs.evaluation.pool import default_processes
from jobs.evaluation.proof.classifier import BATCH, FRAMES, SIDE, train
from jobs.evaluation.proof.edits import EDITORS, config
from jobs.evaluation.proof.settings import Setting, Sizes
from jobs.evaluation.proof.trainings import planned
from jobs.evaluation.proof.worlds import draw_training, render_all
from pipelines import plugins
from pipelines.editors.base import build_editor
from pipelines.storage import Storage
from pipelines.tables.record import SUCCESS
from strmatch.miniature.scenes import caption

FEW_STEPS = 3
AROUND_AN_EDIT = 3.0
"""Seconds of a core for the masks, captions and metrics of a clip, by editor."""


def projected_minutes(
    settings: tuple[Setting, ...], sizes: Sizes, output: Storage, seed: int
) -> float:
    """Projects the minutes of what `output` does not hold yet, on all cores, if they are idle."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        trainings = sum(
            not output.exists(one.name) for setting in settings for one in planned(setting, sizes)
        )
        seconds = trainings * sizes.steps * _seconds_a_step() if trainings else 0.0
        clips = sizes.clips * (1 + max(sizes.biases) - min(sizes.biases))
        for setting in settings:
            if not output.exists(f"runs/{setting.name}/{SUCCESS}"):
                seconds += clips * (_seconds_a_clip(setting, seed) + AROUND_AN_EDIT * len(EDITORS))
    finally:
        torch.set_num_threads(threads)
    return seconds / 60 / default_processes()


def _seconds_a_step() -> float:
    clips = torch.zeros(BATCH, 3, FRAMES, SIDE, SIDE, dtype=torch.uint8)
    labels = torch.zeros(BATCH, dtype=torch.int64)
    train(clips, labels, 2, FEW_STEPS, 0)
    began = time.process_time()
    train(clips, labels, 2, FEW_STEPS, 0)
    return (time.process_time() - began) / FEW_STEPS


def _seconds_a_clip(setting: Setting, seed: int) -> float:
    """Projects the seconds of an edit by every editor in one thread."""
    scene = draw_training(setting, 1, 1.0, seed)[0].scene
    frames, masks = render_all([scene])
    seconds = 0.0
    for name in EDITORS:
        steps = config(setting, name).edit.num_inference_steps
        assert steps is not None
        few = config(setting, name, [f"edit.num_inference_steps={FEW_STEPS}"])
        editor = build_editor(plugins.find_editor(few), few)
        began = time.process_time()
        inversion = editor.invert(frames[0], caption(scene))
        editor.edit(inversion, caption(scene), masks[0], 0)
        seconds += (time.process_time() - began) * steps / FEW_STEPS
    return seconds
