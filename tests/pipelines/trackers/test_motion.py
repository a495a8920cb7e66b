import numpy as np
import pytest

from pipelines.config.loading import load_config
from pipelines.trackers.motion import MotionTracker
from strmatch.miniature.scenes import sample_scene
from strmatch.miniature.world import render


def overlap(a, b):
    return (a & b).sum() / (a | b).sum()


def test_a_moving_subject_in_front_of_a_still_background_is_found():
    """Compared with the exact masks of rendered clips."""
    scenes = [s for s in map(sample_scene, range(40)) if s.sprites[0].motion != "still"]
    rendered = render(scenes)
    found = [MotionTracker(load_config())(frames.numpy(), None) for frames in rendered.frames]
    overlaps = [
        0.0 if mask is None else overlap(mask, exact[0].numpy())
        for mask, exact in zip(found, rendered.masks, strict=True)
    ]
    assert len(scenes) > 20
    assert min(overlaps) > 0.7
    assert np.mean(overlaps) > 0.9


@pytest.mark.parametrize("camera_moves", [False, True])
def test_a_clip_without_a_moving_subject_has_no_mask(camera_moves):
    scene = np.random.default_rng(0).integers(0, 256, (64, 128, 3), dtype=np.uint8)
    step = 3 if camera_moves else 0
    frames = np.stack([np.roll(scene, step * i, axis=1)[:, :64] for i in range(16)])
    assert MotionTracker(load_config())(frames, None) is None
