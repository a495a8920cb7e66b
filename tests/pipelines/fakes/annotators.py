"""Annotators for tests of their surroundings: real ones that record each process they load in."""

import os
from pathlib import Path

import ray

from pipelines.captioners.transformers_vlm import TransformersVLM
from pipelines.trackers.sam2 import Sam2HF


def leave_note(folder: str) -> None:
    """Write a file for each process that has loaded a model, with its assigned GPUs."""
    gpus = ray.get_runtime_context().get_accelerator_ids()["GPU"]
    (Path(folder) / f"loaded-by-{os.getpid()}").write_text(",".join(gpus))


class Captioner(TransformersVLM):
    def __init__(self, config):
        super().__init__(config)
        leave_note(config.annotate.vlm.weights)


class Tracker(Sam2HF):
    def __init__(self, config):
        super().__init__(config)
        leave_note(config.annotate.sam2.weights)
