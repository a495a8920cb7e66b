"""The rules of families are those of the installed pipelines."""

import numpy as np
import pytest
import torch
from PIL import Image

from pipelines.editors.diffusers.families import FAMILIES
from tests.pipelines.editors.diffusers.tiny import MADE


def run(name, frames, height, width):
    """The frames that a tiny pipeline makes of a random video."""
    torch.manual_seed(0)
    pipeline = MADE[name]()
    pipeline.set_progress_bar_config(disable=True)
    noise = np.random.default_rng(0).integers(0, 256, (frames, height, width, 3), np.uint8)
    video = [Image.fromarray(frame) for frame in noise]
    given = {"video": video, "prompt": "a circle", "num_inference_steps": 2}
    given |= {"height": height, "width": width, "output_type": "np"}
    if name.startswith(("Wan", "CogVideoX", "LTX")):
        given |= {"max_sequence_length": 16}
    if name in ("WanVACEPipeline", "LTXConditionPipeline"):
        given |= {"num_frames": frames}
    made = pipeline(**given).frames[0]
    return np.asarray(made).shape[:3]


@pytest.mark.parametrize("name", MADE)
def test_a_pipeline_takes_what_its_family_allows_and_no_other_size(name):
    family = next(FAMILIES[each] for each in FAMILIES if name.startswith(each))
    frames, size = 1 + 2 * family.frames, 2 * family.size
    assert run(name, frames, size, size) == (frames, size, size)
    with pytest.raises((ValueError, RuntimeError, AssertionError)):
        shape = run(name, frames, size + family.size // 2, size)
        assert shape == (frames, size + family.size // 2, size)
