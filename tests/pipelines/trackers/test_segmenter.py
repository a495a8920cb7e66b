"""Both backends of SAM2, by the same tests, and against each other with the same weights."""

import gc
import tempfile

import cv2
import numpy as np
import pytest
import torch

from pipelines.trackers.segmenter import Box, Points

BOX = Box(20, 30, 70, 80)
POINT = Points(((40.0, 50.0),), (1,))
POINTS = Points(((40.0, 50.0), (80.0, 20.0)), (1, 0))


def clip(seed, frames=6, height=96, width=160):
    """Blots that change from frame to frame, uint8 (f, H, W, 3)."""
    small = np.random.default_rng(seed).integers(0, 256, (frames, 8, 10, 3), dtype=np.uint8)
    return np.stack([cv2.resize(frame, (width, height)) for frame in small])


def alive():
    """Elements of all tensors that something holds on to."""
    gc.collect()
    return sum(o.numel() for o in gc.get_objects() if issubclass(type(o), torch.Tensor))


@pytest.mark.parametrize("prompt", [BOX, POINT, POINTS], ids=["box", "point", "points"])
@pytest.mark.parametrize("size", [(128, 128), (96, 160), (200, 120)])
def test_the_backends_agree(hf_segmenter, package_segmenter, prompt, size):
    """Two programs by different people: what they agree on, both were told rightly."""
    frames = clip(0, 5, *size)
    ours = hf_segmenter.track(frames, [prompt], 2)
    theirs = package_segmenter.track(frames, [prompt], 2)
    assert ours.masks.dtype == theirs.masks.dtype == bool
    assert ours.scores.dtype == theirs.scores.dtype == np.float32
    assert ours.masks.shape == theirs.masks.shape == (1, 5, *size)
    assert (ours.masks != theirs.masks).mean() < 0.01
    assert ours.masks.any(axis=(2, 3)).all()
    np.testing.assert_allclose(ours.scores, theirs.scores, atol=0.01)


def test_two_objects_are_each_followed_as_alone(segmenter):
    frames, prompts = clip(1), [BOX, Points(((140.0, 20.0),), (1,))]
    both = segmenter.track(frames, prompts, 0)
    assert both.masks.shape == (2, 6, 96, 160)
    assert both.scores.shape == (2, 6)
    assert (both.masks[0] != both.masks[1]).mean() > 0.01
    for number, prompt in enumerate(prompts):
        alone = segmenter.track(frames, [prompt], 0)
        assert (alone.masks[0] != both.masks[number]).mean() < 0.01
        np.testing.assert_allclose(alone.scores[0], both.scores[number], atol=0.01)


@pytest.mark.parametrize("prompt_frame", [0, 2, 5])
def test_every_frame_has_its_mask_wherever_the_object_is_shown(segmenter, prompt_frame):
    tracks = segmenter.track(clip(2), [BOX], prompt_frame)
    assert (tracks.scores > 0).all()
    # A mask that is not empty has been written: the model is one that sees an object always.
    assert tracks.masks.any(axis=(2, 3)).all()


def test_frames_before_the_prompt_are_followed_backwards(segmenter):
    """Each direction knows the frames on its own side only."""
    frames, others = clip(3), clip(4)
    masks = segmenter.track(frames, [BOX], 3).masks[0]
    past = segmenter.track(np.concatenate([others[:3], frames[3:]]), [BOX], 3).masks[0]
    assert (masks[3:] != past[3:]).mean() < 0.001
    assert (masks[:3] != past[:3]).mean() > 0.01
    mirrored = segmenter.track(frames[::-1].copy(), [BOX], 2).masks[0][::-1]
    assert (masks[3] != mirrored[3]).mean() < 0.001


def test_where_no_object_is_seen_the_mask_is_empty_and_no_frame_is_lost(segmenter):
    """It leaves after frame 1 and is back in frame 4: there, the head that sees it says so."""
    module = getattr(segmenter, "model", None) or segmenter.predictor
    head = next(m for n, m in module.named_modules() if n.endswith("pred_obj_score_head"))
    gone = iter([False, False, True, True, False, False])
    hook = head.register_forward_hook(
        lambda *args: torch.full_like(args[2], -5 if next(gone) else 5)
    )
    try:
        tracks = segmenter.track(clip(5), [BOX], 0)
    finally:
        hook.remove()
    seen = [True, True, False, False, True, True]
    assert tracks.masks[0].any(axis=(1, 2)).tolist() == seen
    np.testing.assert_allclose(tracks.scores[0], np.where(seen, 0.9933, 0.0067), atol=1e-4)


def test_no_clip_leaves_a_trace_in_the_next(segmenter, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    first = segmenter.track(clip(6), [BOX], 1)
    held = alive()
    for seed in range(7, 10):
        segmenter.track(clip(seed, frames=4, height=60, width=90), [BOX, POINT], 3)
    again = segmenter.track(clip(6), [BOX], 1)
    np.testing.assert_array_equal(first.masks, again.masks)
    np.testing.assert_array_equal(first.scores, again.scores)
    assert alive() == held
    assert list(tmp_path.iterdir()) == []


def test_a_clip_of_one_frame(segmenter):
    assert segmenter.track(clip(0, frames=1), [BOX], 0).masks.shape == (1, 1, 96, 160)


@pytest.mark.parametrize(("prompts", "frame"), [([], 0), ([BOX], 6), ([BOX], -1)])
def test_what_cannot_be_followed_is_refused(segmenter, prompts, frame):
    with pytest.raises(ValueError, match="prompt|no frame"):
        segmenter.track(clip(0), prompts, frame)


def test_prompts_are_checked():
    with pytest.raises(ValueError, match="x0 < x1"):
        Box(5, 5, 5, 9)
    with pytest.raises(ValueError, match="every point has a label"):
        Points(((1.0, 2.0),), (1, 0))
    with pytest.raises(ValueError, match="labels are 1"):
        Points(((1.0, 2.0),), (2,))
