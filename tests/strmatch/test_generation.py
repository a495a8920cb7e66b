import re

import numpy as np
import pytest
import torch

from strmatch import generate
from strmatch.guidance import guided_prediction
from tests.strmatch.tiny import SIZE, tiny_backbone

PROMPT, OTHER = "a red circle moving right over bricks", "a blue star standing still over dots"


@pytest.fixture(scope="module")
def backbone():
    return tiny_backbone()


def test_a_clip_does_not_depend_on_the_rest_of_its_batch(backbone):
    both = generate(backbone, [PROMPT, OTHER], num_frames=3, seed=5)
    assert both.shape == (2, 3, SIZE, SIZE, 3) and both.dtype == np.uint8
    # A batch may round differently in the last bit, which is at most one level after decoding.
    alone = generate(backbone, [OTHER], num_frames=3, seed=6)
    assert np.abs(both[1].astype(int) - alone[0]).max() <= 1
    again = generate(backbone, [PROMPT, OTHER], num_frames=3, seed=5)
    assert np.array_equal(both, again)


def test_seed_prompt_and_guidance_each_change_the_clip(backbone):
    def latents(prompt=PROMPT, seed=0, scale=3.0, negative=""):
        kept = {}
        backbone.decode, decode = lambda z: decode(kept.setdefault("z", z)), backbone.decode
        try:
            generate(
                backbone, [prompt], num_frames=2, seed=seed, guidance_scale=scale,
                negative_prompt=negative,
            )  # fmt: skip
        finally:
            backbone.decode = decode
        return kept["z"]

    plain = latents()
    for other in (latents(OTHER), latents(seed=1), latents(scale=1.0), latents(negative=OTHER)):
        assert not torch.equal(plain, other)


def test_generation_denoises_along_the_schedule_with_guidance(backbone):
    target, null = backbone.embed(PROMPT), backbone.embed("")
    schedule = backbone.schedule(2)
    z = backbone.noise(2, seed=3)
    for level in (2, 1):
        t = schedule.timesteps[level]
        with torch.no_grad():
            conditional, free = backbone.predict(z, t, target), backbone.predict(z, t, null)
        epsilon = free + 2.5 * (conditional - free)
        z = schedule.step(z, epsilon, level, level - 1)
    clip = generate(
        backbone, [PROMPT], num_frames=2, num_inference_steps=2, guidance_scale=2.5, seed=3
    )
    assert np.abs(clip[0].astype(int) - backbone.decode(z)).max() <= 1


def test_a_guidance_of_one_is_the_prediction_for_the_prompt(backbone):
    z, target = backbone.noise(2, seed=0), backbone.embed(PROMPT)
    with torch.no_grad():
        guided = guided_prediction(backbone, z, 500, backbone.embed(""), target, 1.0)
        assert torch.equal(guided, backbone.predict(z, 500, target))


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"prompts": []}, ValueError, "prompts must hold at least one prompt"),
        ({"prompts": "a cat"}, TypeError, "prompts must be a list of strings, got 'a cat'"),
        ({"prompts": [PROMPT, 3]}, TypeError, "prompts must be a list of strings, got ["),
        ({"num_frames": 0}, ValueError, "num_frames must be ≥ 1, got 0"),
        ({"num_frames": 3.0}, TypeError, "num_frames must be an integer, got 3.0"),
        ({"num_frames": True}, TypeError, "num_frames must be an integer, got True"),
        ({"num_inference_steps": 0}, ValueError, "num_inference_steps must be ≥ 1, got 0"),
        ({"num_inference_steps": 2.5}, TypeError, "num_inference_steps must be an integer or None"),
        ({"guidance_scale": np.nan}, ValueError, "guidance_scale must be a finite number or None"),
        ({"negative_prompt": None}, TypeError, "negative_prompt must be a string, got None"),
        ({"seed": -1}, ValueError, "seed must be ≥ 0, got -1"),
        ({"seed": "0"}, TypeError, "seed must be an integer, got '0'"),
        ({"backbone": "miniature"}, TypeError, "backbone must be of type VideoDiffusion"),
    ],
)
def test_a_wrong_argument_is_refused_by_its_name(backbone, wrong, error, message):
    arguments = {"backbone": backbone, "prompts": [PROMPT], "num_frames": 1} | wrong
    with pytest.raises(error, match=re.escape(message)) as raised:
        generate(**arguments)
    assert "\n" not in str(raised.value)


def test_numbers_of_numpy_are_accepted(backbone):
    plain = generate(backbone, [PROMPT], num_frames=2, guidance_scale=2.5, seed=3)
    numbers = {"num_frames": np.int64(2), "guidance_scale": np.float32(2.5), "seed": np.uint8(3)}
    assert np.array_equal(generate(backbone, (PROMPT,), **numbers), plain)
