import numpy as np
import pytest

from pipelines.config.sections import MaskCheck
from pipelines.errors import Rejected
from pipelines.media import masks
from pipelines.media.encode import encode_video
from pipelines.stages.track import Track
from pipelines.trackers.base import Found

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


def part(left, right):
    mask = np.zeros((4, 32, 32), bool)
    mask[:, 8:24, left:right] = True
    return mask


class Several:
    """A tracker that finds objects by their words, and the subject alone in the whole frame."""

    def __init__(self, **masks):
        self.masks = masks

    def __call__(self, frames, subject):
        return whole(frames)

    def objects(self, frames, phrases):
        return [Found(words, self.masks[words], 0.5) for words in phrases if words in self.masks]


def followed(tracker, prompt="a dog, a cat and a car", objects=3):
    row = {"mask": None, "subject": None, "source_prompt": prompt, "fps": 8.0}
    row["source_video"] = encode_video(np.zeros((4, 32, 32, 3), np.uint8), 8.0)
    return Track("stub", tracker, MaskCheck(), objects=objects)(row)


def test_the_objects_of_a_caption_are_followed_in_its_order():
    columns = followed(Several(cat=part(12, 20), dog=part(0, 8), car=part(24, 32)))
    assert columns["mask"] == masks.encode(part(0, 8))
    assert [list(each) for each in columns["objects"]] == [["words", "mask", "score", "id"]] * 3
    told = [(each["id"], each["words"], each["score"]) for each in columns["objects"]]
    assert told == [(0, "dog", 0.5), (1, "cat", 0.5), (2, "car", 0.5)]
    assert columns["objects"][2]["mask"] == masks.encode(part(24, 32))
    two = followed(Several(cat=part(12, 20), dog=part(0, 8), car=part(24, 32)), objects=2)
    assert [each["words"] for each in two["objects"]] == ["dog", "cat"]


@pytest.mark.parametrize("cat", [np.zeros((4, 32, 32), bool), part(0, 9)], ids=["empty", "the dog"])
def test_an_object_without_a_mask_of_its_own_is_left_out(cat):
    columns = followed(Several(cat=cat, dog=part(0, 8), car=part(24, 32)))
    assert [each["words"] for each in columns["objects"]] == ["dog", "car"]
    assert followed(Several(cat=cat, dog=part(0, 8))) == {
        "mask": masks.encode(part(0, 8)),
        "mask_source": "stub",
    }


def test_a_clip_without_its_subject_or_with_one_noun_is_no_clip_of_several_objects():
    with pytest.raises(Rejected, match="does not find a subject"):
        followed(Several(cat=part(12, 20), car=part(24, 32)))
    with pytest.raises(Rejected) as raised:
        followed(Several(dog=part(0, 8)), prompt="a dog on a beach")
    assert raised.value.type == "MaskTooLarge", "the tracker follows the subject alone"


def given(tracker, *masks_of):
    """The columns of a clip whose manifest names a dog and a cat, with these masks."""
    things = [
        {"id": number, "words": words, "mask": None if mask is None else masks.encode(mask)}
        for number, (words, mask) in enumerate(zip(("dog", "cat"), masks_of, strict=True))
    ]
    row = {"mask": None, "subject": "dog", "source_prompt": "a dog and a cat", "fps": 8.0}
    row["source_video"] = encode_video(np.zeros((4, 32, 32, 3), np.uint8), 8.0)
    row |= {"objects": things, "given_edits": [{"subject": "dog"}, {"subject": "cat"}]}
    return Track("stub", tracker, MaskCheck())(row)


def test_masks_of_the_manifest_s_edits_take_precedence_over_the_tracker():
    columns = given(None, part(0, 8), part(20, 32))
    assert columns["mask_source"] == "manifest"
    assert [each["mask"] for each in columns["objects"]] == [
        masks.encode(part(0, 8)),
        masks.encode(part(20, 32)),
    ]
    columns = given(Several(dog=part(4, 8), cat=part(12, 20)), None, part(20, 32))
    assert columns["mask_source"] == "stub"
    assert columns["mask"] == columns["objects"][0]["mask"] == masks.encode(part(4, 8))
    assert columns["objects"][1]["mask"] == masks.encode(part(20, 32))


def test_every_edit_of_the_manifest_needs_a_mask_within_the_limits():
    with pytest.raises(Rejected, match="does not find cat: give the edit a mask_uri"):
        given(Several(dog=part(4, 8)), None, None)
    with pytest.raises(Rejected, match="the mask is empty") as raised:
        given(None, part(0, 8), np.zeros((4, 32, 32), bool))
    assert raised.value.type == "MaskEmpty"
