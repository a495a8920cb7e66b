import dataclasses

import pytest
import torch

from strmatch.baselines.settings import UniEditSettings
from strmatch.baselines.uniedit import Injection, UniEdit
from strmatch.guidance import guided_prediction
from strmatch.sampling.solver import denoise
from tests.strmatch.tiny import FRAMES, SIZE, tiny_backbone, tiny_motion, tiny_unet3d

SOURCE, TARGET = "a red circle moving right", "a blue square moving right"
SETTINGS = UniEditSettings(num_inference_steps=4, guidance_scale=3.0)


def with_settings(backbone, **changes):
    return UniEdit(backbone, dataclasses.replace(SETTINGS, **changes))


@pytest.fixture(scope="module")
def inversion(backbone, frames):
    return UniEdit(backbone, SETTINGS).invert(frames, SOURCE)


def retraced(backbone, inversion):
    """An inversion that denoising under the empty prompt reverses exactly."""
    empty, schedule = backbone.embed(""), inversion.schedule
    z = inversion.latents[-1]
    latents = [z]
    for level in range(schedule.num_steps, 0, -1):
        epsilon = backbone.predict(z, schedule.timesteps[level], empty)
        z = schedule.step(z, epsilon, level, level - 1)
        latents.insert(0, z)
    return dataclasses.replace(inversion, latents=torch.stack(latents))


def attention(layer, x, queries_from, values):
    """Plain attention of tokens x (n, c) with given q and k, by loops over heads and rows."""
    heads, width = layer.num_heads, x.shape[-1] // layer.num_heads
    query, key = layer.to_q(queries_from), layer.to_k(queries_from)
    out = torch.zeros_like(x)
    for head in range(heads):
        part = slice(head * width, (head + 1) * width)
        for p in range(len(x)):
            logits = torch.stack([query[p, part] @ key[q, part] for q in range(len(x))])
            weights = torch.exp(logits * width**-0.5)
            weights = weights / weights.sum()
            out[p, part] = sum(weights[q] * values[q, part] for q in range(len(x)))
    return layer.to_out(out)


@pytest.mark.parametrize("masked", [False, True])
def test_an_injected_layer_equals_attention_by_hand(backbone, mask, masked):
    level, side = 1, 4
    block = next(iter(backbone.unet.attention_blocks(level).values()))
    torch.manual_seed(0)
    x = torch.randn(3, FRAMES, side * side, 64, dtype=torch.float64)
    pixels = torch.from_numpy(mask)
    inject = Injection(pixels if masked else None, (FRAMES, SIZE // 4, SIZE // 4))
    with torch.no_grad(), backbone.exchange_spatial(inject):
        actual = block.attn1(x.flatten(0, 1)).unflatten(0, (3, FRAMES))
    for clip in range(3):
        for i in range(FRAMES):
            values = block.attn1.to_v(x[clip, i])
            if masked:
                source = block.attn1.to_v(x[0, i])
                for p in range(side * side):
                    row, column = divmod(p, side)
                    cell = mask[i, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
                    if not cell.any():
                        values[p] = source[p]
            expected = attention(block.attn1, x[clip, i], x[0, i], values)
            torch.testing.assert_close(actual[clip, i], expected)
    with torch.no_grad():
        alone = block.attn1(x[1])
    assert not torch.isclose(alone, actual[1]).all()


def test_the_empty_prompt_under_full_injection_reproduces_the_reconstruction(
    backbone, inversion, mask
):
    exact = retraced(backbone, inversion)
    for chosen in (None, mask):
        edited = with_settings(backbone, injected_share=1.0).edit(exact, "", mask=chosen)
        torch.testing.assert_close(edited.latents, exact.latents[0], rtol=0, atol=1e-9)


def test_with_an_empty_mask_only_cross_attention_moves_the_edit(backbone, inversion, mask):
    """With queries, keys and values of the source, spatial attention adds only the source."""
    block = next(iter(backbone.unet.attention_blocks(0).values()))
    seen = []
    handle = block.attn1.register_forward_hook(lambda module, args, out: seen.append(out))
    editor = with_settings(backbone, injected_share=1.0)
    result = editor.edit(inversion, TARGET, mask=mask & False)
    handle.remove()
    for out in seen:
        source, *others = out.unflatten(0, (3, FRAMES))
        assert all(torch.allclose(source, other) for other in others)
    assert not torch.isclose(result.latents, inversion.latents[0]).any()


def test_the_injected_share_counts_steps_from_the_noisiest_one(backbone, inversion):
    """Share 0 is plain guided DDIM. Share 0.5 injects in the first two of four steps."""
    schedule = inversion.schedule
    target, empty = backbone.embed(TARGET), backbone.embed("")

    def plain(z, t):
        return guided_prediction(backbone, z, t, empty, target, 3.0)

    none = with_settings(backbone, injected_share=0.0).edit(inversion, TARGET)
    expected = denoise(plain, inversion.latents[-1], schedule)
    torch.testing.assert_close(none.latents, expected)

    visited, epsilon = [], backbone.predict

    def watch(z, t, embeddings):
        visited.append((t, len(z), len(embeddings)))
        return epsilon(z, t, embeddings)

    backbone.predict = watch
    try:
        half = with_settings(backbone, injected_share=0.5).edit(inversion, TARGET)
    finally:
        del backbone.predict
    assert visited == [(751, 3, 3), (501, 3, 3), (251, 1, 2), (1, 1, 2)]
    assert not torch.allclose(half.latents, none.latents)


@pytest.mark.parametrize(("masked", "share"), [(False, 0.4), (True, 0.5)])
def test_the_default_share_depends_on_the_presence_of_a_mask(backbone, frames, mask, masked, share):
    editor = with_settings(backbone, num_inference_steps=10)
    inversion = editor.invert(frames, SOURCE)
    chosen = mask if masked else None
    fixed = with_settings(backbone, num_inference_steps=10, injected_share=share)
    expected = fixed.edit(inversion, TARGET, mask=chosen).latents
    assert torch.equal(editor.edit(inversion, TARGET, mask=chosen).latents, expected)


def test_the_clip_is_inverted_under_the_empty_prompt(backbone, frames, inversion):
    other = UniEdit(backbone, SETTINGS).invert(frames, TARGET)
    assert inversion.source_prompt == other.source_prompt == ""
    assert torch.equal(inversion.latents, other.latents)


def test_all_hooks_are_removed(backbone, inversion, monkeypatch):
    modules = [
        block.attn1 for level in (0, 1) for block in backbone.unet.attention_blocks(level).values()
    ]
    assert len(modules) == 7  # 1 (down) + 2 (up) at each level, and the middle one

    def fail(z, t, embeddings):
        assert all(module.exchange for module in modules)
        raise RuntimeError

    monkeypatch.setattr(backbone, "predict", fail)
    with pytest.raises(RuntimeError):
        with_settings(backbone).edit(inversion, TARGET)
    assert not any(module.exchange for module in modules)


@pytest.mark.parametrize("make_unet", [tiny_unet3d, tiny_motion])
def test_injection_supports_unets_of_diffusers(make_unet, frames, mask):
    backbone = tiny_backbone(make_unet=make_unet)
    editor = with_settings(backbone, injected_share=1.0)
    exact = retraced(backbone, editor.invert(frames, SOURCE))
    edited = editor.edit(exact, "", mask=mask)
    torch.testing.assert_close(edited.latents, exact.latents[0], rtol=0, atol=1e-9)
    free = with_settings(backbone, injected_share=0.0).edit(exact, TARGET, mask=mask)
    held = editor.edit(exact, TARGET, mask=mask)
    assert not torch.isclose(held.latents, free.latents).all()


def test_invalid_settings_and_masks_are_refused_by_name(backbone, inversion, mask):
    with pytest.raises(ValueError, match="injected_share must be from 0 to 1, got -1"):
        UniEditSettings(injected_share=-1)
    with pytest.raises(ValueError, match="noised_until must be ≥ 0"):
        UniEditSettings(noised_until=-1)
    with pytest.raises(ValueError, match="mask must be bool"):
        with_settings(backbone).edit(inversion, TARGET, mask=mask.astype(float))


def test_a_wrong_argument_is_refused_by_its_name(backbone, inversion, frames):
    editor = UniEdit(backbone, SETTINGS)
    for call, message in (
        (lambda: UniEdit(backbone, "fast"), "settings must be of type UniEditSettings"),
        (lambda: editor.invert(frames, None), "source_prompt must be a string"),
        (lambda: editor.edit(inversion, None), "target_prompt must be a string"),
        (lambda: editor.edit(inversion.latents, TARGET), "inversion must be of type Inversion"),
    ):
        with pytest.raises(TypeError, match=message):
            call()
