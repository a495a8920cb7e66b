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


def test_a_mask_of_the_manifest_takes_precedence_over_the_tracker():
    frames = np.zeros((4, 32, 32, 3), np.uint8)
    row = {"mask": masks.encode(whole(frames)), "subject": None}
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


def test_an_unusable_mask_rejects_the_row():
    frames = np.zeros((4, 32, 32, 3), np.uint8)
    row = {"mask": None, "subject": None, "source_video": encode_video(frames, 8.0)}
    with pytest.raises(Rejected) as raised:
        Track("stub", lambda frames, subject: whole(frames), MaskCheck())(row)
    assert raised.value.type == "MaskTooLarge"
