import numpy as np
import pytest

from pipelines import masks
from pipelines.encode import encode_video
from pipelines.errors import Rejected
from pipelines.sections import MaskCheck
from pipelines.stages.track import MotionTracker, Track
from strmatch.miniature.scenes import sample_scene
from strmatch.miniature.world import render

LIMITS = MaskCheck(max_area=1)


def whole(frames):
    return np.ones(frames.shape[:3], bool)


def overlap(a, b):
    return (a & b).sum() / (a | b).sum()


def test_a_moving_subject_before_a_still_background_is_found():
    """Against the exact masks of rendered clips."""
    scenes = [s for s in map(sample_scene, range(40)) if s.sprites[0].motion != "still"]
    rendered = render(scenes)
    found = [MotionTracker()(frames.numpy(), None) for frames in rendered.frames]
    overlaps = [
        0.0 if mask is None else overlap(mask, exact[0].numpy())
        for mask, exact in zip(found, rendered.masks, strict=True)
    ]
    assert len(scenes) > 20
    assert min(overlaps) > 0.7
    assert np.mean(overlaps) > 0.9


@pytest.mark.parametrize("camera_moves", [False, True])
def test_without_a_moving_subject_there_is_no_mask(camera_moves):
    scene = np.random.default_rng(0).integers(0, 256, (64, 128, 3), dtype=np.uint8)
    step = 3 if camera_moves else 0
    frames = np.stack([np.roll(scene, step * i, axis=1)[:, :64] for i in range(16)])
    assert MotionTracker()(frames, None) is None


def test_the_manifests_mask_is_kept_and_else_the_tracker_asked():
    frames = np.zeros((4, 32, 32, 3), np.uint8)
    row = {"mask": [{"size": [1, 1], "counts": "1"}], "subject": None}
    row["source_video"] = encode_video(frames, 8.0)
    stage = Track("stub", lambda frames, subject: whole(frames), LIMITS)
    assert stage(row) == {}
    columns = stage(row | {"mask": None})
    assert columns["mask_source"] == "stub"
    assert masks.decode(columns["mask"]).all()
    assert (
        Track("stub", lambda frames, subject: None, LIMITS)(row | {"mask": None})["mask_source"]
        == "none"
    )


def test_a_mask_that_is_not_worth_an_edit_is_rejected():
    frames = np.zeros((4, 32, 32, 3), np.uint8)
    row = {"mask": None, "subject": None, "source_video": encode_video(frames, 8.0)}
    with pytest.raises(Rejected) as raised:
        Track("stub", lambda frames, subject: whole(frames), MaskCheck())(row)
    assert raised.value.type == "MaskTooLarge"
