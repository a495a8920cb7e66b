import json

import numpy as np
import pytest

from pipelines.config.loading import load_config
from pipelines.editors.base import BackboneEditor
from pipelines.media import masks
from pipelines.media.encode import decode_video, encode_video
from pipelines.media.video.opening import open_video
from pipelines.schema import CLIPS, rows_table
from pipelines.stages.edit_clip import ClipEditor
from pipelines.storage import Storage
from tests.pipelines.fakes.editors import Careless, Invert, Large, Painter


@pytest.fixture
def output(tmp_path):
    frames = np.zeros((4, 16, 16, 3), np.uint8)
    clip = {"row_id": "c", "source_video": encode_video(frames, 8, 12), "fps": 8.0}
    output = Storage(str(tmp_path))
    output.commit_table("clips/a.parquet", rows_table([clip], CLIPS))
    return output


def work(*targets):
    return {
        "clip_file": "clips/a.parquet",
        "clip_row": "c",
        "source_prompt": "a cat",
        "edit_ids": list(targets),
        "target_prompts": list(targets),
        "target_wheres": ["subject"] * len(targets),
        "edit_lists": [None] * len(targets),
        "seeds": [0] * len(targets),
    }


def test_a_clip_that_runs_out_of_memory_is_retried_with_a_lean_editor(output):
    Large.made.clear()
    editor = ClipEditor(load_config(), output, Large, "1")
    committed, seconds = editor(work("small", "huge"))
    assert (committed["ok"], committed["failed"], len(seconds)) == (1, 1, 2)
    (failed,) = committed["failures"]
    assert (failed["row_id"], failed["error_type"]) == ("huge", "OutOfMemory")
    assert "even with execution.memory=lean" in failed["error_message"]
    assert editor(work("another"))[0]["ok"] == 1
    assert Large.made == ["normal", "lean"]


def test_anything_but_frames_of_the_clips_shape_is_a_failed_edit(output):
    faults = {
        "nan": ("NotFinite", "NaN or infinite values"),
        "infinite": ("NotFinite", "NaN or infinite values"),
        "float": ("BadFrames", "returned float64 (4, 16, 16, 3), not uint8 (4, 16, 16, 3)"),
        "integers": ("BadFrames", "returned int64 (4, 16, 16, 3), not uint8"),
        "shorter": ("BadFrames", "returned uint8 (3, 16, 16, 3), not uint8 (4, 16, 16, 3)"),
        "smaller": ("BadFrames", "returned uint8 (4, 8, 8, 3), not uint8 (4, 16, 16, 3)"),
        "transposed": ("BadFrames", "returned uint8 (4, 3, 16, 16), not uint8 (4, 16, 16, 3)"),
        "list": ("BadFrames", "returned list, not uint8"),
        "nothing": ("BadFrames", "returned NoneType, not uint8"),
    }
    editor = ClipEditor(load_config(), output, Careless, "1")
    committed, _ = editor(work("frames", *faults))
    assert (committed["ok"], committed["failed"]) == (1, len(faults))
    for failed in committed["failures"]:
        kind, message = faults[failed["row_id"]]
        assert failed["error_type"] == kind and message in failed["error_message"]


def test_an_edit_has_the_times_of_its_clip(output, tmp_path):
    times = [0.0, 0.1, 0.75, 1.0]
    clip = {"row_id": "c", "fps": 3.0, "timestamps": times}
    clip["source_video"] = encode_video(np.zeros((4, 16, 16, 3), np.uint8), 3, timestamps=times)
    output.commit_table("clips/a.parquet", rows_table([clip], CLIPS))
    ClipEditor(load_config(), output, Invert, "1")(work("a dog"))
    (row,) = output.read_folder("edits", ["edited_video"]).to_pylist()
    (tmp_path / "edit.mp4").write_bytes(row["edited_video"])
    with open_video(str(tmp_path / "edit.mp4")) as video:
        np.testing.assert_allclose(video.timestamps, times, atol=1e-4)


def test_a_target_that_is_the_caption_is_refused_before_any_work(output):
    class Never(Careless):
        def invert(self, frames, source_prompt):
            raise AssertionError("no edit is left")

    committed, seconds = ClipEditor(load_config(), output, Never, "1")(work("A  cat."))
    assert committed["failed"] == 1 and seconds == []
    (failed,) = committed["failures"]
    assert failed["error_type"] == "TargetIsCaption" and "'A cat.'" in failed["error_message"]
    committed, _ = ClipEditor(load_config(), output, Careless, "1")(work("a cat", "frames"))
    assert (committed["ok"], committed["failed"]) == (1, 1)


def test_what_the_text_encoder_does_not_read_is_recorded(output):
    settings = load_config(assignments=["edit.num_inference_steps=1"])
    backbone = BackboneEditor.load_backbone(settings)
    words = ["red", "circle"] * 20  # the embedded model reads 30 tokens, one a word

    class Reader(Large):
        def unread(self, prompt):
            return backbone.unread(prompt)

    ClipEditor(settings, output, Reader, "1")(work("a dog", " ".join(words)))
    rows = output.read_folder("edits", ["edit_id", "unread_prompt"]).to_pylist()
    unread = {row["edit_id"]: row["unread_prompt"] for row in rows}
    assert unread == {"a dog": None, " ".join(words): " ".join(words[30:])}


def halves():
    """The left and the right half of a clip, bool (4, 16, 16)."""
    left = np.zeros((4, 16, 16), bool)
    left[:, :, :8] = True
    return left, ~left


def several(output, *edits):
    """Edits a clip of two objects, a black dog at the left and a black cat at the right."""
    frames = np.zeros((4, 16, 16, 3), np.uint8)
    objects = [
        {"id": number, "words": words, "mask": masks.encode(mask), "score": 0.5}
        for number, (words, mask) in enumerate(zip(("dog", "cat"), halves(), strict=True))
    ]
    clip = {"row_id": "c", "source_video": encode_video(frames, 8, 12), "fps": 8.0}
    clip |= {"mask": objects[0]["mask"], "objects": objects}
    output.commit_table("clips/a.parquet", rows_table([clip], CLIPS))
    return work("white and grey") | {"edit_lists": [json.dumps(edits)]}


def test_each_object_of_an_edit_gets_its_own_prompt(output):
    item = several(output, {"object": 0, "prompt": "255"}, {"object": 1, "prompt": "128"})
    ClipEditor(load_config(), output, Painter, "1")(item)
    (row,) = output.read_folder("edits", ["edited_video", "edit_where"]).to_pylist()
    means = [decode_video(row["edited_video"])[half].mean() for half in halves()]
    assert np.allclose(means, [255, 128], atol=8)
    assert row["edit_where"] == "subject"


def test_the_subject_is_in_front_and_the_background_behind(output):
    edits = [{"object": 0, "prompt": "1"}, {"object": None, "prompt": "2"}]
    item = several(output, *edits, {"object": 1, "prompt": "3"})
    editor = ClipEditor(load_config(), output, Painter, "1")
    editor(item)
    assert editor.editor.editor.prompts == ["2", "3", "1"]


def test_an_editor_of_one_region_gets_the_union_and_the_whole_prompt(output):
    item = several(output, {"object": 0, "prompt": "255"}, {"object": 1, "prompt": "128"})
    ClipEditor(load_config(), output, Invert, "1")(item)
    (row,) = output.read_folder("edits", ["edited_video"]).to_pylist()
    assert decode_video(row["edited_video"]).min() > 240, "both halves are inverted"
