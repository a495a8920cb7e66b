"""Both backends of SAM2 under the same tests, and compared with each other on equal weights."""

import gc
import tempfile

import cv2
import numpy as np
import pytest
import torch

from pipelines.trackers.segmenter import Box

BOX = Box(20, 30, 70, 80)
SMALL = Box(35, 40, 50, 60)


def clip(seed, frames=6, height=96, width=160):
    """Random blots that change between frames, uint8 (f, H, W, 3)."""
    small = np.random.default_rng(seed).integers(0, 256, (frames, 8, 10, 3), dtype=np.uint8)
    return np.stack([cv2.resize(frame, (width, height)) for frame in small])


def alive():
    """The number of elements of all tensors referenced by an object."""
    gc.collect()
    return sum(o.numel() for o in gc.get_objects() if issubclass(type(o), torch.Tensor))


@pytest.mark.parametrize("box", [BOX, SMALL], ids=["large", "small"])
@pytest.mark.parametrize("size", [(128, 128), (96, 160), (200, 120)])
def test_the_backends_agree(hf_segmenter, package_segmenter, box, size):
    """The two backends are independent programs, so each is the reference for the other."""
    frames = clip(0, 5, *size)
    ours = hf_segmenter.track(frames, box, 2)
    theirs = package_segmenter.track(frames, box, 2)
    assert ours.dtype == theirs.dtype == bool
    assert ours.shape == theirs.shape == (5, *size)
    assert (ours != theirs).mean() < 0.01
    assert ours.any(axis=(1, 2)).all()


@pytest.mark.parametrize("prompt_frame", [0, 2, 5])
def test_every_frame_has_a_mask_for_any_prompt_frame(segmenter, prompt_frame):
    mask = segmenter.track(clip(2), BOX, prompt_frame)
    # Each mask is non-empty, because this model always detects an object.
    assert mask.any(axis=(1, 2)).all()


def test_frames_before_the_prompt_are_tracked_backwards(segmenter):
    """Each direction depends only on the frames on its side."""
    frames, others = clip(3), clip(4)
    masks = segmenter.track(frames, BOX, 3)
    past = segmenter.track(np.concatenate([others[:3], frames[3:]]), BOX, 3)
    assert (masks[3:] != past[3:]).mean() < 0.001
    assert (masks[:3] != past[:3]).mean() > 0.01
    mirrored = segmenter.track(frames[::-1].copy(), BOX, 2)[::-1]
    assert (masks[3] != mirrored[3]).mean() < 0.001


def test_frames_without_the_object_have_an_empty_mask(segmenter):
    """The object score head reports the object as absent in frames 2 and 3."""
    module = getattr(segmenter, "model", None) or segmenter.predictor
    head = next(m for n, m in module.named_modules() if n.endswith("pred_obj_score_head"))
    gone = iter([False, False, True, True, False, False])
    hook = head.register_forward_hook(
        lambda *args: torch.full_like(args[2], -5 if next(gone) else 5)
    )
    try:
        mask = segmenter.track(clip(5), BOX, 0)
    finally:
        hook.remove()
    seen = [True, True, False, False, True, True]
    assert mask.any(axis=(1, 2)).tolist() == seen


def test_a_clip_does_not_affect_the_next(segmenter, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    first = segmenter.track(clip(6), BOX, 1)
    held = alive()
    for seed in range(7, 10):
        for box in (BOX, SMALL):
            segmenter.track(clip(seed, frames=4, height=60, width=90), box, 3)
    again = segmenter.track(clip(6), BOX, 1)
    np.testing.assert_array_equal(first, again)
    assert alive() == held
    assert list(tmp_path.iterdir()) == []


def test_a_clip_of_one_frame_is_tracked(segmenter):
    assert segmenter.track(clip(0, frames=1), BOX, 0).shape == (1, 96, 160)


@pytest.mark.parametrize("frame", [6, -1])
def test_a_prompt_frame_outside_the_clip_is_refused(segmenter, frame):
    with pytest.raises(ValueError, match="no frame"):
        segmenter.track(clip(0), BOX, frame)


def test_a_box_without_positive_size_is_refused():
    with pytest.raises(ValueError, match="x0 < x1"):
        Box(5, 5, 5, 9)
