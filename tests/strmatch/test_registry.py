"""Presets and backbones of a package outside the repository."""

import json

import pytest
import torch

from strmatch import load_backbone
from strmatch.presets import PRESETS, load_preset
from strmatch.registry import Registry
from tests.strmatch.tiny import save_backbone, tiny_backbone

MODULE = """
from strmatch.backbones.lavie import LaVieUNet
from strmatch.presets import Preset
from strmatch.settings import EditSettings

SMALL = Preset(
    weights={weights!r}, num_frames=4, height=32, width=32, fps=4.0, edit=EditSettings(lam=0.3)
)


class DoublingUNet(LaVieUNet):
    def forward(self, *arguments, **named):
        return 2 * super().forward(*arguments, **named)
"""
ENTRY_POINTS = """
[strmatch.preset]
small = outside_backbone:SMALL
[strmatch.backbone]
DoublingUNet = outside_backbone:DoublingUNet
"""


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """A model of an external class, and the package that defines the class and its preset."""
    weights, site = tmp_path / "weights", tmp_path / "site"
    save_backbone(tiny_backbone(dtype=torch.float32), weights)
    config = weights / "unet" / "config.json"
    named = json.loads(config.read_text()) | {"_class_name": "DoublingUNet"}
    config.write_text(json.dumps(named))
    info = site / "outside_backbone-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "outside_backbone.py").write_text(MODULE.format(weights=str(weights)))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: outside-backbone\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(site))
    return weights


def test_a_preset_and_a_backbone_are_found_by_entry_points(weights):
    assert "small" in PRESETS and PRESETS.names()[-1] == "small"
    assert load_preset("small").edit.lam == 0.3
    backbone = load_backbone("small", device="cpu")
    assert type(backbone.unet).__name__ == "DoublingUNet" and backbone.settings.lam == 0.3
    latents, embedding = torch.randn(1, 4, 4, 8, 8), backbone.embed("a red circle")
    halved = tiny_backbone(dtype=torch.float32).predict(latents, 500, embedding)
    assert torch.allclose(backbone.predict(latents, 500, embedding), 2 * halved, atol=1e-5)


def test_a_built_in_name_cannot_be_overridden(weights):
    registry = Registry("preset", {"small": "strmatch.presets.lavie:PRESET"})
    assert registry.names() == ["small"]
    assert registry.load("small") == load_preset("lavie")


def test_every_built_in_preset_loads():
    lengths = {name: load_preset(name).num_frames for name in PRESETS.built_in}
    assert lengths == {
        **dict.fromkeys(("miniature", "miniature-fast", "miniature-joint"), 16),
        **dict.fromkeys(("lavie", "animatediff"), 16),
        "zeroscope": 24,
        **dict.fromkeys(("wan", "wan-vace", "wan-vace-14b", "wan-v2v"), 81),
        "ltx": 97,
        **dict.fromkeys(("cogvideox", "cogvideox-v2v"), 49),
        "cosmos-transfer": 93,
    }
    with pytest.raises(ValueError, match="no preset 'lavi'; there are miniature, miniature-fast"):
        load_preset("lavi")
