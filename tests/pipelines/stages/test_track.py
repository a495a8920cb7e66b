import numpy as np
import pytest

from pipelines.config.sections import MaskCheck
from pipelines.errors import Rejected
from pipelines.media import masks
from pipelines.media.encode import encode_video
from pipelines.stages.track import Track

LIMITS = MaskCheck(max_area=1)


def whole(frames):
    return np.ones(frames.shape[:3], bool)


def nothing(frames, subject):
    return None


def test_a_mask_of_the_manifest_takes_precedence_over_the_tracker():
    frames = np.zeros((4, 32, 32, 3), np.uint8)
    row = {"mask": masks.encode(whole(frames)), "subject": None}
    row["source_video"] = encode_video(frames, 8.0)
    stage = Track("stub", lambda frames, subject: whole(frames), LIMITS)
    assert stage(row) == {}
    columns = stage(row | {"mask": None})
    assert columns["mask_source"] == "stub"
    assert masks.decode(columns["mask"]).all()


@pytest.mark.parametrize(("fps", "refused"), [(8.0, True), (40.0, False)])
def test_a_subject_that_is_absent_for_a_second_rejects_a_long_clip(fps, refused):
    """Absent in 10 of 80 frames: 1.25 seconds or a quarter of one."""
    mask = np.ones((80, 32, 32), bool)
    mask[35:45] = False
    stage = Track("stub", lambda frames, subject: mask, LIMITS, window=16)
    frames = np.zeros((80, 32, 32, 3), np.uint8)
    given = {"mask": masks.encode(mask), "subject": None, "fps": fps}
    for row in (given, given | {"mask": None, "source_video": encode_video(frames, fps)}):
        if refused:
            with pytest.raises(Rejected, match=r"from 4\.0 to 6\.0 seconds"):
                stage(row)
        else:
            stage(row)


def test_a_clip_without_a_subject_is_edited_only_if_masks_are_not_required():
    frames = np.zeros((4, 32, 32, 3), np.uint8)
    row = {"mask": None, "subject": "a cat", "source_video": encode_video(frames, 8.0)}
    with pytest.raises(Rejected, match="the tracker stub does not find a cat") as raised:
        Track("stub", nothing, MaskCheck())(row)
    assert raised.value.type == "NoMask"
    unmasked = {"mask": None, "mask_source": "none"}
    assert Track("stub", nothing, MaskCheck(required=False))(row) == unmasked
    assert Track("none", nothing, MaskCheck())(row) == unmasked


def test_an_unusable_mask_rejects_the_row():
    frames = np.zeros((4, 32, 32, 3), np.uint8)
    row = {"mask": None, "subject": None, "source_video": encode_video(frames, 8.0)}
    with pytest.raises(Rejected) as raised:
        Track("stub", lambda frames, subject: whole(frames), MaskCheck())(row)
    assert raised.value.type == "MaskTooLarge"
