"""The frames of composites before they are encoded, and composites that cannot be made."""

import json

import cv2
import numpy as np
import pytest

from pipelines.config.loading import load_config
from pipelines.media import masks
from pipelines.media.composite import composite
from pipelines.media.encode import decode_video, encode_frames, encode_video
from pipelines.media.frames import fit
from pipelines.stages import composite_edit
from pipelines.stages.composite_edit import CompositeEdit
from pipelines.storage import Storage
from pipelines.tables.full_size import commit_full, full_name
from tests.pipelines.support.videos import shot

COUNT, HEIGHT, WIDTH = 6, 90, 150
CLIP = ["clip.height=32", "clip.width=48", "clip.num_frames=6"]


@pytest.fixture
def output(tmp_path):
    """An output that holds a clip at the source's size."""
    output = Storage(str(tmp_path))
    video = encode_frames(shot(0, COUNT, size=(HEIGHT, WIDTH)), 25)
    row = {"clip_id": "c", "status": "ok", "full_video": video}
    assert commit_full(output, full_name("c", "1"), row)["problem"] is None
    return output


def mask():
    """bool (f, 32, 48): a box that moves."""
    drawn = np.zeros((COUNT, 32, 48), bool)
    for number, frame in enumerate(drawn):
        frame[10:16, 12 + 2 * number : 20 + 2 * number] = True
    return drawn


def edit(**columns):
    """The row of an edit that inverts the colours everywhere."""
    small = fit(shot(0, COUNT, size=(HEIGHT, WIDTH)), 32, 48, "crop")
    row = {"clip_id": "c", "source_version": "1", "fps": 25.0, "num_frames": COUNT}
    row |= {"timestamps": None, "edited_video": encode_video(255 - small, 25)}
    row |= {"mask": masks.encode(mask()), "edit_where": "subject", "editor_settings": "{}"}
    return row | columns


@pytest.fixture
def encoded(monkeypatch):
    """Lists of the frames that were encoded."""
    seen = []

    def noting(pictures, *timing):
        seen.append(np.stack([*pictures]))
        return encode_frames(seen[-1], *timing)

    monkeypatch.setattr(composite_edit, "encode_frames", noting)
    return seen


@pytest.mark.parametrize(
    ("where", "dilation"), [("subject", 3), ("subject", 1), ("background", 3), ("all", 3)]
)
def test_frames_are_the_composites_and_outside_exactly_the_source_s(
    output, encoded, where, dilation
):
    settings = json.dumps({"mask_dilation": dilation})
    row = edit(edit_where=where, editor_settings=settings)
    made = CompositeEdit(output, load_config(assignments=CLIP))(row)
    (frames,) = encoded
    source, edited = decode_video(made["source_video"]), decode_video(row["edited_video"])
    region = {"subject": mask(), "background": ~mask(), "all": [None] * COUNT}[where]
    for number in range(COUNT):
        expected = composite(source[number], edited[number], region[number], "crop", dilation)
        assert (frames[number] == expected).all()
    assert made["composited"] == ("frame" if where == "all" else "mask")
    assert (made["height"], made["width"]) == (HEIGHT, WIDTH)
    if where != "subject":
        return
    # Two latents of 8 pixels beside the box, or one, at almost three source pixels each.
    reach = 2 * (8 * (1 if dilation == 3 else 0) + 8) * 3 + 1
    large = masks.decode(made["mask"])
    near = [cv2.dilate(m.astype(np.uint8), np.ones((reach, reach))) > 0 for m in large]
    outside = ~np.stack(near)
    assert (frames[outside] == source[outside]).all() and outside.mean() > 0.2
    assert (frames[large] != source[large]).any(axis=-1).mean() > 0.95


def test_the_mask_covers_what_it_covered_at_the_model_s_size(output):
    thing = {"id": 0, "words": "dog", "mask": masks.encode(mask()), "score": 0.5}
    made = CompositeEdit(output, load_config(assignments=CLIP))(edit(objects=[thing]))
    back = fit(masks.decode(made["mask"]), 32, 48, "crop")
    assert (back != mask()).mean() < 0.01
    assert made["objects"] == [thing | {"mask": made["mask"]}]


def test_without_a_mask_the_whole_picture_is_the_edit(output):
    made = CompositeEdit(output, load_config(assignments=CLIP))(edit(mask=None, edit_where="all"))
    assert (made["composited"], made["mask"]) == ("frame", None)


@pytest.mark.parametrize(
    ("columns", "kind", "message"),
    [
        ({"edited_video": b""}, "DecodeFailed", "the clip cannot be decoded"),
        ({"clip_id": "other"}, "FileNotFoundError", "full/"),
        ({"num_frames": 5, "mask": masks.encode(mask()[:5])}, "ValueError", "zip"),
    ],
)
def test_a_composite_that_cannot_be_made_fails_its_row(output, columns, kind, message):
    made = CompositeEdit(output, load_config(assignments=CLIP))(edit(**columns))
    assert made.keys() == {"status", "error_stage", "error_type", "error_message"}
    assert (made["status"], made["error_stage"]) == ("failed", "composite")
    assert made["error_type"] == kind and message in made["error_message"]


def test_the_reason_of_a_clip_without_the_source_s_size_is_that_of_the_row(output):
    failed = {"clip_id": "c", "status": "failed", "error_type": "FileMissing"}
    commit_full(output, full_name("c", "2"), failed | {"error_message": "it is gone"})
    row = edit(source_version="2")
    made = CompositeEdit(output, load_config(assignments=CLIP))(row)
    assert (made["error_type"], made["error_message"]) == ("FileMissing", "it is gone")
