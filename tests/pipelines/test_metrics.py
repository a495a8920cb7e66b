"""Metrics selected by name in a configuration. Those without a download are computed."""

import math
import re

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from pipelines import plugins, registry
from pipelines.config.loading import load_config
from pipelines.errors import RunError
from strmatch.metrics.base import Sample
from strmatch.metrics.interpolation.rife import RIFE, IFNet
from strmatch.metrics.lpips import LPIPS


def sample(shift=0, mask=True):
    """Noise that moves by one pixel per frame, and an edit that moves by `shift` pixels more."""
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    source = np.stack([np.roll(noise, i, axis=1) for i in range(4)])
    edited = np.stack([np.roll(noise, i * (1 + shift), axis=1) for i in range(4)])
    inside = np.zeros(source.shape[:3], bool)
    inside[:, :32] = True
    return Sample(source, edited, inside if mask else None, "a red circle", "a blue star")


def test_the_default_metrics_of_the_embedded_presets_are_computed():
    metrics = plugins.metrics(load_config())
    values = {name: metric(sample()) for name, metric in metrics.items()}
    assert list(values) == list(load_config().measure.metrics)
    assert values["background_difference"] == values["motion_error"] == 0
    assert 0 < values["frame_consistency"] <= 1 and -100 <= values["clip_similarity"] <= 100
    assert metrics["motion_error"](sample(shift=2)) > 1
    assert math.isnan(metrics["background_difference"](sample(mask=False)))


@pytest.mark.parametrize("name", registry.BUILT_IN["metric"])
def test_the_worst_window_of_a_metric_is_the_one_that_its_definition_calls_worse(name):
    metric = plugins.find("metric", name)
    definition = metric.library_class() if hasattr(metric, "library_class") else metric
    (better,) = set(re.findall(r"(higher|lower)\s+is\s+better", definition.__doc__))
    whole = {"seam", "drift", "vlm_judge"}  # compare frames that are far apart, or a sample of them
    worst = None if name in whole else {"higher": "lowest", "lower": "highest"}[better]
    assert getattr(metric, "worst", None) == worst


@pytest.mark.parametrize(
    ("assignments", "border"),
    [
        (["clip.num_frames=8"], 4),
        (["clip.num_frames=8", "edit.window_stride=6"], 6),
        (["clip.num_frames=8", "editor=sdedit", "editor_options.window_stride=5"], 5),
    ],
)
def test_the_seam_is_measured_at_the_borders_of_the_editors_windows(assignments, border):
    chosen = ["measure.metrics=[seam]", "publish.limits=null", *assignments]
    metric = plugins.metrics(load_config(assignments=chosen))["seam"]
    noise = np.random.default_rng(0).integers(0, 100, (20, 8, 8, 3), np.uint8)
    jump = noise.copy()
    jump[border:] += 150
    assert metric(Sample(noise, jump, None, "", "")) > 1.5


def test_lpips_is_computed_with_weights_from_a_folder(tmp_path):
    torch.manual_seed(0)
    lpips = LPIPS()
    features = {f"features.{k}": v for k, v in lpips.features.state_dict().items()}
    save_file(lpips.heads.state_dict(), tmp_path / "alex.safetensors")
    save_file(features, tmp_path / "alexnet.safetensors")
    chosen = ["measure.metrics=[background_lpips]", f"measure.lpips={tmp_path}"]
    metric = plugins.metrics(load_config(assignments=chosen))["background_lpips"]
    assert metric(sample()) == 0 and math.isnan(metric(sample(mask=False)))


def test_frame_consistency_can_interpolate_with_rife(tmp_path):
    torch.manual_seed(0)
    save_file(IFNet().state_dict(), tmp_path / "flownet.safetensors")
    chosen = ["measure.metrics=[frame_consistency]", f"measure.rife={tmp_path}"]
    config = load_config(assignments=chosen)
    metric = plugins.metrics(config)["frame_consistency"]
    assert isinstance(metric.metric.interpolate, RIFE)
    (tmp_path / "flownet.pkl").touch()
    with pytest.raises(RunError, match=r"must hold one file flownet\*, and holds 2"):
        plugins.metrics(config.model_copy(update={"seed": 1}))
