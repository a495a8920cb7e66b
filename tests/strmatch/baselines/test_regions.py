"""Regions in the baselines: the joint prompt and the union of the masks."""

import numpy as np
import pytest
import torch

from strmatch import Region
from strmatch.baselines.dmt import DMT
from strmatch.baselines.flowedit import FlowEdit
from strmatch.baselines.sdedit import SDEdit
from strmatch.baselines.settings import (
    DMTSettings,
    FlowEditSettings,
    SDEditSettings,
    UniEditSettings,
)
from strmatch.baselines.uniedit import UniEdit

SOURCE = "a red circle and a green star over bricks"
JOINT = "a blue square and a pink cross over bricks"
STEPS = {"num_inference_steps": 2, "guidance_scale": 3.0}


@pytest.fixture(
    params=[
        (SDEdit, SDEditSettings(**STEPS)),
        (DMT, DMTSettings(**STEPS, iterations=1)),
        (UniEdit, UniEditSettings(**STEPS)),
        (FlowEdit, FlowEditSettings(**STEPS)),
    ],
    ids=["sdedit", "dmt", "uniedit", "flowedit"],
)
def editor(backbone, request):
    method, settings = request.param
    return method(backbone, settings)


def test_regions_are_an_edit_of_their_union_towards_the_joint_prompt(editor, frames, mask):
    inversion = editor.invert(frames, SOURCE)
    other = np.roll(mask, 16, axis=2)
    regions = [
        Region(mask, "a blue square", "a red circle"),
        Region(other, "a pink cross", "a green star"),
    ]
    masked = {} if isinstance(editor, DMT) else {"mask": mask | other}
    expected = editor.edit(inversion, JOINT, **masked).latents
    assert torch.equal(editor.edit(inversion, regions, joint_prompt=JOINT).latents, expected)
    # UniEdit inverts under the empty prompt, and has no words of the source.
    derived = "a blue square and a pink cross" if isinstance(editor, UniEdit) else JOINT
    expected = editor.edit(inversion, derived, **masked).latents
    assert torch.equal(editor.edit(inversion, regions).latents, expected)


def test_a_region_everywhere_edits_the_whole_clip(editor, frames, mask):
    inversion = editor.invert(frames, SOURCE)
    regions = [Region(None, JOINT), Region(mask, JOINT)]
    expected = editor.edit(inversion, JOINT).latents
    assert torch.equal(editor.edit(inversion, regions).latents, expected)


def test_a_mask_beside_regions_is_refused(editor, frames, mask):
    inversion = editor.invert(frames, SOURCE)
    with pytest.raises(ValueError, match="mask"):
        editor.edit(inversion, [Region(mask, JOINT)], mask=mask)
    with pytest.raises(ValueError, match="joint_prompt needs regions"):
        editor.edit(inversion, JOINT, joint_prompt=JOINT)
