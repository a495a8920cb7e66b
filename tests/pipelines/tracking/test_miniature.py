import numpy as np
import pytest

from pipelines.config import load_config
from pipelines.encode import encode_video
from pipelines.tracking.contrast import ContrastTracker
from pipelines.tracking.miniature import MiniatureTracker, box_around, typical_frame
from pipelines.tracking.sam2_hf import HFSegmenter
from pipelines.tracking.segmenter import Box
from pipelines.video import decode_video
from strmatch.miniature.scenes import sample_scene
from strmatch.miniature.world import render
from tests.pipelines.tracking.components import small_sam2

KINDS = ("core", "textured", "harder_motion", "moving_background", "two_sprites")


@pytest.fixture(scope="module")
def tracker():
    return MiniatureTracker(load_config())


def overlap(a, b):
    return (a & b).sum() / (a | b).sum()


def stored(frames):
    return decode_video(encode_video(frames.numpy(), 8.0, 12))


@pytest.mark.parametrize("kind", KINDS)
def test_masks_are_near_to_the_exact_ones(tracker, kind):
    scenes = [sample_scene(seed, "dev", kind) for seed in range(2)]
    rendered = render(scenes)
    overlaps = [
        overlap(tracker(stored(frames), scene.sprites[0].colour), exact[0].numpy())
        for scene, frames, exact in zip(scenes, rendered.frames, rendered.masks, strict=True)
    ]
    assert np.mean(overlaps) > 0.93


def test_it_starts_where_the_subject_is_of_its_usual_size():
    mask = np.zeros((5, 8, 8), bool)
    mask[1, 2:4, 3:6] = mask[2, 2:4, 3:7] = True
    mask[3] = True  # as of two things taken for one
    assert typical_frame(mask) == 2
    assert box_around(mask[2]) == Box(3, 2, 7, 4)


def test_what_sam2_does_not_know_is_left_to_contrast():
    """A SAM2 with random weights knows nothing."""
    stranger = MiniatureTracker(load_config())
    stranger.segmenter = HFSegmenter(small_sam2())
    frames = stored(render([sample_scene(0, "dev")]).frames[0])
    assert np.array_equal(stranger(frames, None), ContrastTracker()(frames, None))


def test_without_a_thing_there_is_no_mask(tracker):
    assert tracker(np.zeros((4, 48, 80, 3), np.uint8), "red circle") is None
