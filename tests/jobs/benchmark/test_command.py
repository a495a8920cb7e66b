import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from jobs.benchmark import command as job
from jobs.benchmark.arithmetic import count_operations
from jobs.benchmark.models import Model
from pipelines.errors import RunError
from strmatch.backbones import compilation
from tests.strmatch.tiny import FRAMES, SIZE, tiny_backbone


def make_tiny():
    frames = np.random.default_rng(0).integers(0, 256, (FRAMES, SIZE, SIZE, 3), dtype=np.uint8)
    backbone = tiny_backbone()
    backbone.settings = replace(backbone.settings, inversion_label="current")
    fast = replace(backbone.settings, num_inference_steps=1)
    backbone.settings = replace(backbone.settings, num_inference_steps=2)
    return Model(backbone, frames, steps=2, fast=fast)


def test_every_form_is_measured_and_equals_the_plain_one(tmp_path, monkeypatch):
    monkeypatch.setitem(job.MODELS, "tiny", make_tiny)
    file = tmp_path / "bench.json"
    job.bench(["tiny"], steps=None, targets=[2, 4], repeats=1, threads=1, json_file=file)
    figures = json.loads(file.read_text())["models"]["tiny"]
    assert figures["steps"] == 2
    assert figures["max_relative_difference"] < 1e-9
    assert figures["lean_memory_ratio"] < figures["memory_ratio"] < 1
    assert figures["fast_seconds_ratio"] > 0
    assert figures["two_regions_ratio"].keys() == {"seconds", "cpu_seconds"}
    assert min(figures["two_regions_ratio"].values()) > 0
    assert figures["targets_ratio"].keys() == {"1", "2", "4"}
    assert figures["targets_ratio"]["1"] == 1 < figures["targets_ratio"]["2"]
    for form in figures["forms"].values():
        parts = sum(form[part] for part in job.PARTS)
        assert parts == pytest.approx(form["seconds"])
    assert figures["seconds_ratio"] == pytest.approx(
        figures["forms"]["ours"]["seconds"] / figures["forms"]["as_written"]["seconds"]
    )


@pytest.mark.slow
def test_on_a_gpu_the_compiled_form_and_the_share_of_its_rate_are_measured(monkeypatch):
    monkeypatch.setattr(compilation, "compiled", lambda function: function)
    model, rate = make_tiny(), 1e12
    figures = job.measure(model, steps=2, targets=[1], repeats=1, bf16_rate=rate)
    forms = figures["forms"]
    assert forms.keys() == {"as_written", "ours", "lean", "compiled", "fast"}
    for name, share in figures["bf16_share"].items():
        assert share == pytest.approx(figures["operations"] / forms[name]["seconds"] / rate)
    parts = sum(forms["compiled"][part] for part in job.PARTS)
    assert parts == pytest.approx(forms["compiled"]["seconds"])


def test_operations_are_those_of_every_product_of_the_passes():
    model = make_tiny()
    one, two = (
        count_operations(model, replace(model.backbone.settings, num_inference_steps=steps))
        for steps in (1, 2)
    )
    assert two == 2 * one
    text = model.backbone.embed("")
    with FlopCounterMode(display=False) as counter:
        model.backbone.predict(model.backbone.encode(model.frames), 500, text)
    single = counter.get_total_flops()
    # Inversion one, denoising nearly two (what precedes the text is shared), the score pass up to
    # its last map, twice: forward and backward.
    assert 3 * single < one < 5.1 * single


def test_unknown_models_and_missing_gpus_are_refused(monkeypatch):
    with pytest.raises(RunError, match="no model"):
        job.bench(["sora"], 1, [1], 1, 1, None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(RunError, match="bench lavie-narrow instead"):
        job.bench(["lavie"], 1, [1], 1, 1, None)
