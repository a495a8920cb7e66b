import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from jobs import bench as job
from jobs.benchmark.models import Model
from pipelines.errors import RunError
from tests.strmatch.tiny import FRAMES, SIZE, tiny_backbone


def make_tiny():
    frames = np.random.default_rng(0).integers(0, 256, (FRAMES, SIZE, SIZE, 3), dtype=np.uint8)
    backbone = tiny_backbone()
    backbone.settings = replace(backbone.settings, inversion_label="current")
    return Model(backbone, frames, fast_share=0.5)


def test_every_form_is_measured_and_equals_the_plain_one(tmp_path, monkeypatch):
    monkeypatch.setitem(job.MODELS, "tiny", make_tiny)
    file = tmp_path / "bench.json"
    job.bench(["tiny"], steps=2, targets=[2, 4], repeats=1, threads=1, json_file=file)
    figures = json.loads(file.read_text())["models"]["tiny"]
    assert figures["max_relative_difference"] < 1e-9
    assert figures["lean_memory_ratio"] < figures["memory_ratio"] < 1
    assert figures["fast_seconds_ratio"] > 0
    assert figures["targets_ratio"].keys() == {"1", "2", "4"}
    assert figures["targets_ratio"]["1"] == 1 < figures["targets_ratio"]["2"]
    for form in figures["forms"].values():
        parts = sum(form[part] for part in job.PARTS)
        assert parts == pytest.approx(form["seconds"])
    assert figures["seconds_ratio"] == pytest.approx(
        figures["forms"]["ours"]["seconds"] / figures["forms"]["as_written"]["seconds"]
    )


def test_what_cannot_be_measured_is_refused(monkeypatch):
    with pytest.raises(RunError, match="no model"):
        job.bench(["wan"], 1, [1], 1, 1, None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(RunError, match="bench lavie-narrow instead"):
        job.bench(["lavie"], 1, [1], 1, 1, None)
