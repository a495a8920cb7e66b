from dataclasses import replace

import numpy as np
import pytest
import torch
from torch._dynamo.testing import CompileCounterWithBackend

from strmatch import STRMatch, compilation
from strmatch.backbones.diffusion import VideoDiffusion
from tests.strmatch.tiny import FRAMES, SIZE, tiny_backbone

SOURCE, TARGET = "a red circle", "a blue circle"


@pytest.fixture
def counter(monkeypatch):
    """Compiles as ever, but for the last part, code for the machine; no break is allowed."""
    counter = CompileCounterWithBackend("aot_eager")
    monkeypatch.setattr(
        compilation,
        "compiled",
        lambda function: torch.compile(function, backend=counter, dynamic=False, fullgraph=True),
    )
    return counter


def test_compiled_edits_are_the_same_and_each_pass_is_compiled_once(counter):
    frames = np.random.default_rng(0).integers(0, 256, (FRAMES, SIZE, SIZE, 3), dtype=np.uint8)
    plain = tiny_backbone()
    settings = replace(plain.settings, inversion_label="current", num_inference_steps=2)
    parts = (plain.unet, plain.vae, plain.text_encoder, plain.tokenizer, plain.scheduler)
    editor = STRMatch(plain, settings)
    expected = editor.edit(editor.invert(frames, SOURCE), TARGET).latents

    editor = STRMatch(VideoDiffusion(*parts, settings, compiled=True), settings)
    inversion = editor.invert(frames, SOURCE)
    actual = editor.edit(inversion, TARGET).latents
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-8)
    # ε alone and guided; ε with maps; maps with and without gradient; of each of two sizes of maps
    # the score, and what is compared of it.
    assert counter.frame_count == 5 + 2 * 2
    again = editor.edit(inversion, TARGET, num_inference_steps=3, lam=0.5, guidance_scale=2.0)
    assert not torch.equal(again.latents, actual)
    assert counter.frame_count == 5 + 2 * 2


def test_what_exchanges_attention_is_not_compiled(counter):
    plain = tiny_backbone()
    parts = (plain.unet, plain.vae, plain.text_encoder, plain.tokenizer, plain.scheduler)
    backbone = VideoDiffusion(*parts, plain.settings, compiled=True)
    z, text = plain.noise(FRAMES, seed=0), plain.embed(SOURCE)

    def without_values(level, query, key, value):
        return query, key, torch.zeros_like(value)

    with plain.exchange_spatial(without_values):
        expected = plain.epsilon(z, 500, text)
    with backbone.exchange_spatial(without_values):
        actual = backbone.epsilon(z, 500, text)
    torch.testing.assert_close(actual, expected)
    assert counter.frame_count == 0
    assert not torch.allclose(plain.epsilon(z, 500, text), expected)
