import math

import pytest
import torch

from jobs.training.loop import fit
from jobs.training.recipe import SegmenterPhase
from jobs.training.segmentation import (
    JITTER,
    as_stored,
    choose_things,
    draw_clips,
    follow,
    jittered_boxes,
    mask_loss,
    normalise,
    tracking_loss,
)
from jobs.training.workers import Worker
from pipelines.media.encode import decode_video, encode_video
from pipelines.trackers.segmenter import Box
from pipelines.trackers.segmenter_transformers import HFSegmenter
from strmatch.miniature.model import make_segmenter
from strmatch.miniature.scenes import sample_scene
from strmatch.miniature.world import render

PHASE = SegmenterPhase(
    steps=20, batch=4, learning_rate=3e-3, final_learning_rate=1e-3, warmup=5, frames=1
)
BOX = torch.tensor([[12.0, 10.0, 44.0, 40.0]])


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(5)  # whose masks are neither empty nor full
    return make_segmenter()


@pytest.fixture(scope="module")
def clips():
    return render([sample_scene(seed, kinds="two_sprites") for seed in range(3)], num_frames=5)


def seen(frames):
    return normalise(frames.movedim(-1, -3) / 255)


@torch.no_grad()
def test_a_batch_is_followed_as_each_of_its_clips_is(model, clips):
    boxes = BOX + torch.tensor([[0.0], [3.0], [6.0]])
    logits, scores = follow(model, seen(clips.frames), boxes, prompted=2)
    later = range(3, clips.frames.shape[1])
    seen_in_order = []
    hook = model.mask_decoder.pred_obj_score_head.register_forward_hook(
        lambda *args: seen_in_order.append(args[2].flatten())
    )
    try:
        for row, frames in enumerate(clips.frames):
            seen_in_order.clear()
            mask = HFSegmenter(model).track(frames.numpy(), Box(*boxes[row].tolist()), 2)
            assert ((logits[row] > 0).numpy() != mask).mean() < 1e-3
            expected = torch.empty_like(scores[row])
            expected[[2, *later, 1, 0]] = torch.cat(seen_in_order)
            torch.testing.assert_close(scores[row].sigmoid(), expected.sigmoid(), atol=1e-4, rtol=0)
            assert 0.05 < mask.mean() < 0.95
    finally:
        hook.remove()


@torch.no_grad()
def test_a_frame_depends_on_what_is_remembered_of_others(model, clips):
    """The same second frame after the same first one on which another place was shown."""
    frames = seen(clips.frames[:1, :2])
    one, _ = follow(model, frames, BOX, prompted=0)
    same, _ = follow(model, frames, BOX, prompted=0)
    other, _ = follow(model, frames, BOX + 20, prompted=0)
    assert torch.equal(one, same)
    assert (one[:, 1] - other[:, 1]).abs().mean() > 1e-3


def test_the_loss_of_a_later_frame_trains_what_remembers(model, clips):
    logits, _ = follow(model, seen(clips.frames[:1, :2]), BOX, prompted=0)
    logits[:, 1].sum().backward()
    for layer in (
        model.memory_encoder.mask_downsampler.final_conv,
        model.memory_encoder.projection,
        model.memory_attention.layers[0].cross_attn_image.v_proj,
        model.object_pointer_proj.proj_out,
    ):
        assert layer.weight.grad.abs().sum() > 0
    model.zero_grad()


def test_frames_look_as_they_come_out_of_a_stored_clip(clips):
    frames = clips.frames[0]
    stored = torch.from_numpy(decode_video(encode_video(frames.numpy(), 8.0, 12))).float()
    alike = as_stored(frames.movedim(-1, -3) / 255).movedim(-3, -1) * 255
    assert (stored - alike).std() < 0.5 * (stored - frames).std()


def test_what_is_shown_is_seen_and_in_the_box():
    generator = torch.Generator().manual_seed(0)
    phase = PHASE.model_copy(update={"frames": 3, "stride": 4, "two_sprites": 1.0})
    frames, masks = draw_clips(16, phase, generator, "cpu")
    assert frames.shape == (16, 3, 3, 64, 64) and masks.shape == (16, 2, 3, 64, 64)
    masks[0, 1, 1] = False  # hidden on the frame of the prompt
    pairs = choose_things(masks, 1, generator)
    assert torch.equal(pairs[0, 0], masks[0, 0]) and torch.equal(pairs[0, 1], masks[0, 0])
    swapped = [torch.equal(pair, things.flip(0)) for pair, things in zip(pairs, masks, strict=True)]
    same = [torch.equal(pair, things) for pair, things in zip(pairs, masks, strict=True)]
    assert any(swapped) and any(same)
    truth = pairs[:, 1]
    boxes = jittered_boxes(truth[:, 1], generator)
    for mask, (x0, y0, x1, y1) in zip(truth[:, 1], boxes.tolist(), strict=True):
        rows, columns = mask.nonzero().unbind(dim=1)
        exact = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        off = [abs(a - float(b)) for a, b in zip((x0, y0, x1, y1), exact, strict=True)]
        assert 0 < max(off) <= JITTER


def test_the_loss_of_masks():
    truth = torch.zeros(1, 2, 8, 8)
    truth[:, :, :4] = 1
    assert mask_loss(100 * (truth - 0.5), truth) < 1e-6
    ignorant = mask_loss(torch.zeros_like(truth), truth)  # half of 64 pixels, half of each pixel
    assert math.isclose(ignorant, 5 * math.log(2) + 1 - 33 / 65, rel_tol=1e-5)
    assert math.isfinite(mask_loss(torch.full_like(truth, -1024.0), truth))


@pytest.mark.slow
def test_a_few_steps_lower_the_loss(tmp_path):
    torch.manual_seed(0)
    fresh = make_segmenter()
    loss = tracking_loss(fresh, PHASE, 16, "cpu")

    def error():
        with torch.no_grad():
            return float(loss(0, torch.Generator().manual_seed(0)))

    before = error()
    fit(
        "segmenter",
        fresh,
        lambda: tracking_loss(fresh, PHASE, PHASE.batch, "cpu"),
        PHASE.model_copy(update={"optimizer": "muon"}),
        Worker(),
        tmp_path,
        0,
        lambda line: None,
    )
    assert error() < 0.6 * before
