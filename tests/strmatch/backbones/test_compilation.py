from dataclasses import replace

import numpy as np
import pytest
import torch
from torch._dynamo.testing import CompileCounterWithBackend

from strmatch import STRMatch
from strmatch.backbones import compilation
from strmatch.backbones.diffusion import VideoDiffusion
from tests.strmatch.tiny import FRAMES, SIZE, tiny_backbone

SOURCE, TARGET = "a red circle", "a blue circle"


@pytest.fixture
def counter(monkeypatch):
    """Compiles without code generation, counts compilations, and forbids graph breaks."""
    counter = CompileCounterWithBackend("aot_eager")
    monkeypatch.setattr(
        compilation,
        "compiled",
        lambda function: torch.compile(function, backend=counter, dynamic=False, fullgraph=True),
    )
    return counter


def compiled_backbone(plain, settings):
    parts = (plain.unet, plain.vae, plain.text_encoder, plain.tokenizer, plain.scheduler)
    return VideoDiffusion(*parts, settings, compiled=True)


@pytest.mark.slow
def test_a_compiled_pass_gives_the_same_noise_and_is_compiled_once(counter):
    plain = tiny_backbone()
    backbone = compiled_backbone(plain, plain.settings)
    z, text = plain.noise(2, seed=0), plain.embed(SOURCE)
    for timestep in (500, 900):
        expected = plain.predict(z, timestep, text)
        torch.testing.assert_close(backbone.predict(z, timestep, text), expected)
    assert counter.frame_count == 1


@pytest.mark.slow
def test_a_compiled_edit_equals_a_plain_one_and_compiles_each_pass_once(counter):
    frames = np.random.default_rng(0).integers(0, 256, (FRAMES, SIZE, SIZE, 3), dtype=np.uint8)
    plain = tiny_backbone()
    settings = replace(plain.settings, inversion_label="current", num_inference_steps=2)
    editor = STRMatch(plain, settings)
    expected = editor.edit(editor.invert(frames, SOURCE), TARGET).latents

    editor = STRMatch(compiled_backbone(plain, settings), settings)
    inversion = editor.invert(frames, SOURCE)
    actual = editor.edit(inversion, TARGET).latents
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-8)
    # Five passes: ε alone, ε guided, ε with maps, maps with and without gradient. Two functions for
    # each of two map sizes: the score and the loss terms.
    assert counter.frame_count == 5 + 2 * 2
    again = editor.edit(inversion, TARGET, num_inference_steps=3, lam=0.5, guidance_scale=2.0)
    assert not torch.equal(again.latents, actual)
    assert counter.frame_count == 5 + 2 * 2


def test_passes_with_exchanged_attention_are_not_compiled(counter):
    plain = tiny_backbone()
    backbone = compiled_backbone(plain, plain.settings)
    z, text = plain.noise(FRAMES, seed=0), plain.embed(SOURCE)

    def without_values(level, query, key, value):
        return query, key, torch.zeros_like(value)

    with plain.exchange_spatial(without_values):
        expected = plain.predict(z, 500, text)
    with backbone.exchange_spatial(without_values):
        actual = backbone.predict(z, 500, text)
    torch.testing.assert_close(actual, expected)
    assert counter.frame_count == 0
    assert not torch.allclose(plain.predict(z, 500, text), expected)
