import json

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from jobs.benchmark import command as job
from jobs.benchmark import joint_models
from jobs.benchmark.joint_models import Size, project_backbone
from strmatch.backbones.joint.backbone import JointDiffusion
from strmatch.guidance import guided_prediction
from strmatch.matching import Matcher
from tests.strmatch.backbones.joint.tiny import PARTS, SETTINGS, TEXT_WIDTH


@pytest.fixture(params=PARTS)
def made(request):
    def make():
        backbone = JointDiffusion(*PARTS[request.param](), SETTINGS, num_frames=9)
        return backbone, torch.randn(1, 4, 3, 8, 8), list(torch.randn(2, 1, 226, TEXT_WIDTH))

    return make


def test_a_projection_by_shapes_equals_the_measured_memory(made):
    measured = project_backbone(*made())
    with FakeTensorMode(allow_non_fake_inputs=True):
        assert project_backbone(*made()) == measured
    sizes = measured["bytes"]
    assert 0 < sizes["score pass, lean"] < sizes["score pass"]
    operations = measured["operations"]
    assert operations["score pass"] < operations["score pass, lean"]


def test_operations_are_those_of_products_where_attention_is_two_of_them(made):
    backbone, latents, (source, target) = made()
    operations = project_backbone(backbone, latents, [source, target])["operations"]
    matcher, scale = Matcher(backbone, backbone.settings), backbone.settings.guidance_scale
    features = matcher.features(latents, 500.0, source)
    parts = {
        "inversion": lambda: backbone.predict(latents, 500.0, source),
        "Ω_src": lambda: matcher.features(latents, 500.0, source),
        "score pass": lambda: matcher.loss_and_gradient(latents, 500.0, [target], features),
        "denoising": lambda: guided_prediction(backbone, latents, 500.0, source, target, scale),
    }
    total = 0
    for name, work in parts.items():
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as count:
            work()
        # The fused backward pass of attention computes the products of queries and keys again, and
        # gradients of the text's keys and values, which nobody needs.
        bound = 1.5 if name == "score pass" else 1.0
        assert count.get_total_flops() <= operations[name] <= bound * count.get_total_flops()
        total += operations[name]
    steps = backbone.settings.num_inference_steps
    assert backbone.settings.inversion_label == "next"
    assert operations["edit"] == steps * total
    again = operations["score pass, lean"] - operations["score pass"]
    assert operations["edit, lean"] == operations["edit"] + steps * again


@pytest.mark.slow
def test_bench_projects_published_sizes(monkeypatch, tmp_path, capsys):
    small = {"num_attention_heads": 1, "num_layers": 16}
    monkeypatch.setitem(joint_models.SIZES, "wan", Size("wan", small | {"ffn_dim": 8}))
    monkeypatch.setitem(
        joint_models.SIZES, "cogvideox", Size("cogvideox", small | {"num_layers": 22})
    )
    file = tmp_path / "bench.json"
    job.bench(["wan", "cogvideox"], None, [1], repeats=1, threads=1, json_file=file)
    figures = json.loads(file.read_text())["models"]
    # Ω of 8 and 9 blocks: 21 and 13 latent frames of 30×52 and 30×45 tokens, in float32.
    assert figures["wan"]["bytes"]["Ω_src of a step"] == 8 * 21 * 1560**2 * 4
    assert figures["cogvideox"]["bytes"]["Ω_src of a step"] == 9 * 13 * 1350**2 * 4
    assert "wan, projected" in capsys.readouterr().out
