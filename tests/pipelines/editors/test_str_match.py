"""Regions of `str_match` on a tiny backbone."""

import numpy as np
import pytest
import torch

from pipelines.config.loading import load_config
from pipelines.editors.base import Region, build_editor
from pipelines.editors.str_match import STRMatchEditor
from pipelines.errors import ConfigError
from strmatch import STRMatch, load_backbone
from strmatch.regions import Region as MethodRegion
from tests.strmatch.backbones.joint.tiny import save_joint
from tests.strmatch.tiny import FRAMES, SIZE, save_backbone, tiny_backbone


def test_regions_are_edited_in_one_pass_with_the_whole_prompt(tmp_path):
    save_backbone(tiny_backbone(dtype=torch.float32), tmp_path)
    config = load_config(
        assignments=[
            f"backbone.weights={tmp_path}",
            "edit.num_inference_steps=2",
            "edit.scored_levels=[1]",
        ]
    )
    frames = np.random.default_rng(0).integers(0, 256, (FRAMES, SIZE, SIZE, 3), np.uint8)
    left = np.zeros((FRAMES, SIZE, SIZE), bool)
    left[:, :, : SIZE // 2] = True
    prompts = ("a blue square", "a green star")
    editor = build_editor(STRMatchEditor, config)
    inversion = editor.invert(frames, "a red circle and a red star")
    regions = [Region(mask, prompt) for mask, prompt in zip((left, ~left), prompts, strict=True)]
    joint = "a blue square and a green star"
    edited = editor.edit_regions(inversion, joint, regions, 0)

    method = STRMatch(load_backbone(str(tmp_path)), config.edit.settings)
    each = [MethodRegion(left, prompts[0]), MethodRegion(~left, prompts[1])]
    expected = method.edit(inversion, each, joint_prompt=joint).frames
    np.testing.assert_array_equal(edited, expected)
    assert (edited != editor.edit(inversion, joint, None, 0)).any()


def test_a_stride_that_splits_a_latent_frame_is_refused_before_any_clip(tmp_path):
    save_joint("wan", tmp_path)
    given = [f"backbone.weights={tmp_path}", "clip.num_frames=9", "edit.scored_levels=[1]"]
    config = load_config(assignments=[*given, "edit.window_stride=6"])
    with pytest.raises(ConfigError, match="edit: window_stride must be .* in steps of 4, got 6"):
        build_editor(STRMatchEditor, config)
