"""Edits of clips longer than a window, against loops that write the fusion out."""

import numpy as np
import pytest
import torch

from jobs.benchmark.memory import peak_bytes
from strmatch import STRMatch, generate
from strmatch.baselines.dmt import DMT, difference_loss
from strmatch.baselines.sdedit import SDEdit
from strmatch.baselines.settings import DMTSettings, SDEditSettings, UniEditSettings
from strmatch.baselines.uniedit import UniEdit
from strmatch.matching import Matcher
from strmatch.sampling.fusion import fuse
from strmatch.sampling.schedule import noise_like
from strmatch.sampling.solver import invert
from strmatch.sampling.windows import find_windows
from tests.strmatch.tiny import SETTINGS, three_levels, tiny_backbone

SOURCE, TARGET = "a red circle moving right", "a blue square moving right"
LENGTH, STRIDE, FRAMES, SIZE = 4, 3, 9, 16
PLACES = [(0, 4), (3, 7), (5, 9)]


@pytest.fixture(scope="module")
def backbone():
    backbone = tiny_backbone()
    backbone.num_frames = LENGTH
    return backbone


@pytest.fixture(scope="module")
def frames():
    return np.random.default_rng(0).integers(0, 256, (FRAMES, SIZE, SIZE, 3), dtype=np.uint8)


def triangle(place):
    return min(place + 0.5, LENGTH - place - 0.5)


def written_out(function, like):
    """Σ_k h_k x_k / Σ_k h_k, frame by frame in a loop."""
    parts = [function(slice(*place)) for place in PLACES]
    total = torch.zeros_like(like)
    for frame in range(FRAMES):
        weight = 0.0
        for (start, stop), part in zip(PLACES, parts, strict=True):
            if start <= frame < stop:
                share = triangle(frame - start)
                total[:, :, frame] += share * part[:, :, frame - start]
                weight += share
        total[:, :, frame] /= weight
    return total


def guided(backbone, z, t, source, target, scale):
    def of(window):
        halves = [backbone.predict(z[:, :, window], t, text) for text in (source, target)]
        return halves[0] + scale * (halves[1] - halves[0])

    return written_out(of, z)


def written_inversion(backbone, frames, prompt, steps):
    embedding = backbone.embed(prompt)
    schedule = backbone.schedule(steps)
    return invert(
        lambda z, t: written_out(lambda w: backbone.predict(z[:, :, w], t, embedding), z),
        backbone.encode(frames),
        schedule,
    )


def test_parts_are_consumed_one_by_one():
    windows, alive = find_windows(FRAMES, LENGTH, STRIDE), []

    def parts():
        for number, window in enumerate(windows):
            alive.append(number)
            yield torch.full((1, 1, window.stop - window.start, 1, 1), float(number))
            assert alive == [*range(number + 1)]

    assert fuse(windows, parts()).flatten()[[0, 3, 8]].tolist() == pytest.approx([0, 0.5, 2])


def test_a_clip_of_one_window_is_edited_as_without_windows(backbone, frames):
    """Bit for bit, whatever the stride and the weights are."""
    clip, whole = frames[:LENGTH], tiny_backbone()
    whole.num_frames = 1000
    plain = STRMatch(whole)
    expected = plain.edit(plain.invert(clip, SOURCE), TARGET)
    for options in ({}, {"window_stride": 1, "window_weights": "hann"}):
        editor = STRMatch(backbone)
        result = editor.edit(editor.invert(clip, SOURCE, **options), TARGET)
        assert torch.equal(result.latents, expected.latents)
        assert np.array_equal(result.frames, expected.frames)


@pytest.mark.parametrize("label", ["current", "next"])
def test_an_inversion_is_that_of_the_formula(backbone, frames, label):
    inversion = STRMatch(backbone).invert(
        frames, SOURCE, window_stride=STRIDE, inversion_label=label
    )
    embedding = backbone.embed(SOURCE)
    expected = invert(
        lambda z, t: written_out(lambda w: backbone.predict(z[:, :, w], t, embedding), z),
        backbone.encode(frames),
        inversion.schedule,
        label,
    )
    torch.testing.assert_close(inversion.latents, expected, rtol=1e-9, atol=1e-9)


def test_an_edit_is_that_of_the_formula(backbone, frames):
    """ε, the gradient of Eq. 5 and Ω^src by window, for masked edits, too."""
    mask = np.zeros((FRAMES, SIZE, SIZE), dtype=bool)
    mask[:, 4:, 4:12] = True
    editor = STRMatch(backbone)
    inversion = editor.invert(frames, SOURCE, window_stride=STRIDE)
    source, target = backbone.embed(SOURCE), backbone.embed(TARGET)
    matcher, schedule = Matcher(backbone, SETTINGS), inversion.schedule
    editable = torch.from_numpy(mask[:, ::4, ::4])[None, None]
    z, losses, seen = inversion.latents[-1], [], []
    for level in (4, 3, 2, 1):
        t, loss = schedule.timesteps[level], []

        def gradient(window, z=z, level=level, t=t, loss=loss):
            wanted = matcher.features(inversion.latents[level][:, :, window], t, source)
            value, slope = matcher.loss_and_gradient(z[:, :, window], t, [target], wanted)
            loss.append(value.item())
            return slope

        z = z - 0.01 * written_out(gradient, z)
        epsilon = guided(backbone, z, t, source, target, SETTINGS.guidance_scale)
        z = schedule.step(z, epsilon, level, level - 1)
        z = torch.where(editable, z, inversion.latents[level - 1])
        losses.append(sum(loss))
    result = editor.edit(inversion, TARGET, mask=mask, mask_dilation=1, callback=seen.append)
    torch.testing.assert_close(result.latents, z, rtol=1e-8, atol=1e-8)
    assert [info["loss"] for info in seen] == pytest.approx(losses, rel=1e-9)
    lean = STRMatch(backbone, memory="lean")
    again = lean.edit(lean.invert(frames, SOURCE, window_stride=STRIDE), TARGET, mask=mask)
    assert np.array_equal(again.frames, editor.edit(inversion, TARGET, mask=mask).frames)


def test_the_fused_gradient_equals_finite_differences_of_the_fused_loss(backbone, frames):
    """L(δ) = Σ_k L_k(z_k + w_k ⊙ δ_k)."""
    latents = backbone.encode(frames)
    matcher, windows = Matcher(backbone, SETTINGS), find_windows(FRAMES, LENGTH, STRIDE)
    source, target = backbone.embed(SOURCE), backbone.embed(TARGET)
    wanted = [matcher.features(latents[:, :, w.frames], 251, source) for w in windows]
    torch.manual_seed(2)
    z, direction = torch.randn_like(latents), torch.randn_like(latents)
    loss, gradient = matcher.fused_loss_and_gradient(z, 251, [target], wanted, windows)

    def loss_at(step):
        total = 0.0
        for window, features in zip(windows, wanted, strict=True):
            weights = torch.tensor(window.weights, dtype=z.dtype)[:, None, None]
            moved = z[:, :, window.frames] + step * weights * direction[:, :, window.frames]
            total += matcher.loss_and_gradient(moved, 251, [target], features)[0].item()
        return total

    assert loss.item() == pytest.approx(loss_at(0.0), rel=1e-12)
    slope = (loss_at(1e-5) - loss_at(-1e-5)) / 2e-5
    assert (gradient * direction).sum().item() == pytest.approx(slope, rel=1e-4)


def test_memory_grows_only_by_frames_and_latents(backbone):
    """Of a lean edit. Otherwise Ω^src is kept up to `FEATURE_BYTES`."""
    editor, peaks, sizes = STRMatch(backbone, memory="lean"), [], []
    for count in (LENGTH, 3 * LENGTH):
        clip = np.zeros((count, SIZE, SIZE, 3), np.uint8)
        inversion = editor.invert(clip, SOURCE, num_inference_steps=1)
        peaks.append(peak_bytes(lambda inversion=inversion: editor.edit(inversion, TARGET)))
        sizes.append(inversion.latents.nbytes + clip.nbytes)
    assert peaks[1] - sizes[1] < 1.3 * peaks[0]


def test_another_stride_inverts_again(backbone, frames):
    editor = STRMatch(backbone)
    inversion = editor.invert(frames, SOURCE, num_inference_steps=2)
    overridden = editor.edit(inversion, TARGET, window_stride=1)
    again = editor.invert(frames, SOURCE, num_inference_steps=2, window_stride=1)
    direct = editor.edit(again, TARGET)
    assert torch.equal(overridden.latents, direct.latents)
    assert direct.settings.window_stride == 1
    with pytest.raises(ValueError, match="window_stride must be from 1 to 4"):
        editor.invert(frames, SOURCE, window_stride=5)


def test_sdedit_is_that_of_the_formula(backbone, frames):
    settings = SDEditSettings(
        num_inference_steps=4, guidance_scale=3.0, strength=0.5, window_stride=STRIDE
    )
    editor = SDEdit(backbone, settings)
    result = editor.edit(editor.invert(frames, SOURCE), TARGET, seed=3)
    schedule = backbone.schedule(4)
    clean = backbone.encode(frames)
    z = schedule.noised(clean, noise_like(clean, 3), 2)
    empty, target = backbone.embed(""), backbone.embed(TARGET)
    for level in (2, 1):
        epsilon = guided(backbone, z, schedule.timesteps[level], empty, target, 3.0)
        z = schedule.step(z, epsilon, level, level - 1)
    torch.testing.assert_close(result.latents, z, rtol=1e-9, atol=1e-9)


def test_dmt_is_that_of_the_formula(frames):
    backbone = tiny_backbone(make_unet=three_levels)
    backbone.num_frames = LENGTH
    settings = DMTSettings(
        num_inference_steps=2,
        guidance_scale=3.0,
        negative_prompt="",
        low_frequencies=1,
        optimised_share=0.5,
        iterations=1,
        lr=0.05,
        restart=False,
        window_stride=STRIDE,
    )
    editor = DMT(backbone, settings)
    inversion = editor.invert(frames, SOURCE)
    expected = written_inversion(backbone, frames, SOURCE, 2)
    torch.testing.assert_close(inversion.latents, expected, rtol=1e-9, atol=1e-9)
    source, target, empty = (backbone.embed(prompt) for prompt in (SOURCE, TARGET, ""))
    z, t = inversion.latents[2], inversion.schedule.timesteps[2]

    def gradient(window):
        part = z[:, :, window].detach().requires_grad_()
        wanted = backbone.averaged_features(inversion.latents[2][:, :, window], t, source)
        features = backbone.averaged_features(part, t, target)
        terms = [difference_loss(*pair) for pair in zip(wanted, features, strict=True)]
        return torch.autograd.grad(torch.stack(terms).sum(), part)[0]

    fused = written_out(gradient, z)
    z = z - 0.05 * fused / (fused.abs() + 1e-8)  # the first step of Adam
    for level in (2, 1):
        with torch.no_grad():
            time = inversion.schedule.timesteps[level]
            epsilon = guided(backbone, z, time, empty, target, 3.0)
        z = inversion.schedule.step(z, epsilon, level, level - 1)
    torch.testing.assert_close(editor.edit(inversion, TARGET).latents, z, rtol=1e-6, atol=1e-6)


def test_uniedit_reconstructs_every_window_from_its_own_source(backbone, frames):
    """With all attention injected and its own prompt, an edit of the exact source is the source."""
    settings = UniEditSettings(
        num_inference_steps=2, guidance_scale=3.0, injected_share=1.0, window_stride=STRIDE
    )
    editor = UniEdit(backbone, settings)
    inversion = editor.invert(frames, SOURCE)
    schedule, empty = inversion.schedule, backbone.embed("")
    latents = [inversion.latents[-1]]
    for level in (2, 1):
        epsilon = guided(backbone, latents[-1], schedule.timesteps[level], empty, empty, 1.0)
        latents.append(schedule.step(latents[-1], epsilon, level, level - 1))
    inversion.latents.copy_(torch.stack(latents[::-1]))
    mask = np.zeros((FRAMES, SIZE, SIZE), dtype=bool)
    mask[: FRAMES // 2, 4:] = True
    edited = editor.edit(inversion, "", mask=mask)
    torch.testing.assert_close(edited.latents, inversion.latents[0], rtol=0, atol=1e-8)
    other = editor.edit(inversion, TARGET, mask=mask)
    assert not torch.allclose(other.latents, inversion.latents[0])


def test_a_long_clip_is_generated_in_windows(backbone):
    frames = generate(backbone, [SOURCE, TARGET], num_frames=FRAMES, num_inference_steps=2)
    assert frames.shape[:2] == (2, FRAMES)
    (again,) = generate(backbone, [TARGET], num_frames=FRAMES, num_inference_steps=2, seed=1)
    assert np.abs(frames[1].astype(int) - again).max() <= 1
