"""Measurements of a clip from its stored bytes."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from pipelines.config.loading import load_config
from pipelines.media import masks
from pipelines.media.encode import decode_video, encode_video
from pipelines.reliability.deadline import Deadline
from pipelines.schema import CLIPS, EDITS, MEASURES, rows_table
from pipelines.stages.measure_clip import MeasureClip
from pipelines.storage import Storage
from pipelines.target_prompt import ObjectEdit
from tests.pipelines.fakes.metrics import Counting

METRICS = "tests.pipelines.fakes.metrics"
GREY = encode_video(np.full((4, 16, 16, 3), 100, np.uint8), 8)
LIGHT = encode_video(np.full((4, 16, 16, 3), 140, np.uint8), 8)


def measure(
    folder,
    *metrics,
    mask=None,
    objects=None,
    source=GREY,
    problem=None,
    where="subject",
    parts=None,
    **edits,
):
    """Measure clip "c" with these edits. Return the rows by target and the result of the stage.

    Args:
        parts: edits of several objects that every edit consists of.
    """
    output = Storage(str(folder))
    clip = {"row_id": "c", "source_video": source, "mask": mask, "objects": objects}
    output.write_table("clips/a.parquet", rows_table([clip], CLIPS))
    rows = [{"edit_id": name, **edit} for name, edit in edits.items()]
    output.write_table("edits/e.parquet", rows_table(rows, EDITS))
    names = ", ".join(f"{METRICS}:{name}" for name in metrics)
    config = load_config(assignments=[f"measure.metrics=[{names}]"])
    work = {"clip_file": "clips/a.parquet", "clip_row": "c", "source_prompt": "a cat"}
    work["num_frames"] = None
    work |= {"edit_file": "edits/e.parquet", "edit_ids": list(edits), "target_prompts": list(edits)}
    work["target_wheres"] = [where] * len(edits)
    work["edit_lists"] = [parts and json.dumps(parts)] * len(edits)
    done = MeasureClip(config, output, Deadline(60.0))(work | {"measures": "m"})
    assert done["problem"] == problem
    if problem:
        return None, done
    table = output.read_table("measures/m.parquet")
    assert table.schema.equals(MEASURES)
    return {row["edit_id"]: row for row in table.to_pylist()}, done


def ok(video=LIGHT):
    return {"status": "ok", "edited_video": video}


def test_metrics_are_computed_on_the_stored_videos(tmp_path):
    half = np.zeros((4, 16, 16), bool)
    half[:, :8] = True
    rows, done = measure(
        tmp_path, "Difference", "Background", mask=masks.encode(half), a=ok(), b=ok(GREY)
    )
    assert (done["ok"], done["failed"], done["failures"]) == (2, 0, [])
    difference = np.abs(decode_video(GREY).astype(int) - decode_video(LIGHT))
    expected = {"Difference": difference.mean(), "Background": difference[:, 8:].mean()}
    assert dict(rows["a"]["metrics"]) == {f"{METRICS}:{k}": v for k, v in expected.items()}
    assert expected["Difference"] > 30
    assert set(dict(rows["b"]["metrics"]).values()) == {0.0}
    assert rows["a"]["measure_seconds"] > 0


def test_the_background_of_several_edits_is_outside_their_objects(tmp_path):
    frames, things = decode_video(GREY).copy(), []
    for number in range(2):
        mask = np.zeros((4, 16, 16), bool)
        mask[:, :, 8 * number : 8 * number + 4] = True
        things.append({"id": number, "words": "x", "mask": masks.encode(mask)})
        frames[mask] += 40
    parts = [asdict(ObjectEdit(number, "x", "a y", "noun_near", "x", "y")) for number in range(2)]
    video = ok(encode_video(frames, 8, crf=0))
    for edits, expected in ((parts, 0.0), (parts[:1], 40 / 3)):
        rows, _ = measure(
            tmp_path / f"{len(edits)}",
            "Background",
            mask=things[0]["mask"],
            objects=things,
            parts=edits,
            a=video,
        )
        assert dict(rows["a"]["metrics"])[f"{METRICS}:Background"] == pytest.approx(expected, abs=2)


def test_the_background_is_what_was_not_to_change(tmp_path):
    left = np.zeros((4, 16, 16), bool)
    left[:, :, :8] = True
    half = decode_video(GREY).copy()
    half[:, :, :8] += 40
    edits = {"left": ok(encode_video(half, 8, crf=0))}
    for where, expected in (("subject", 0.0), ("background", 40.0), ("all", None)):
        folder = tmp_path / where
        rows, _ = measure(folder, "Background", mask=masks.encode(left), where=where, **edits)
        found = dict(rows["left"]["metrics"])[f"{METRICS}:Background"]
        assert found == pytest.approx(expected, abs=4) if expected is not None else found is None


def test_a_metric_without_a_value_has_its_reason(tmp_path):
    rows, done = measure(tmp_path, "Difference", "Speechless", a=ok())
    assert (done["ok"], rows["a"]["status"]) == (1, "ok")
    assert dict(rows["a"]["metrics"])[f"{METRICS}:Speechless"] is None
    assert dict(rows["a"]["metrics"])[f"{METRICS}:Difference"] > 30
    assert rows["a"]["measure_message"] == f"{METRICS}:Speechless: no words, no number"


def test_a_metric_that_does_not_apply_is_null(tmp_path):
    rows, _ = measure(tmp_path, "Difference", "Background", a=ok())
    assert dict(rows["a"]["metrics"])[f"{METRICS}:Background"] is None
    assert rows["a"]["status"] == "ok"


def long_clips(length, changes):
    """A grey clip of windows of 16 frames, and an edit that is lighter by `changes` in each."""
    source = np.full((length, 16, 16, 3), 100, np.uint8)
    edited = source.copy()
    for start, change in changes.items():
        edited[start : start + 16] += np.uint8(change)
    return encode_video(source, 8, crf=0), ok(encode_video(edited, 8, crf=0))


def test_a_long_clip_has_the_mean_and_the_worst_of_its_windows(tmp_path):
    source, edit = long_clips(48, {0: 20, 16: 80, 32: 50})
    rows, _ = measure(tmp_path, "Windowed", "Kept", "Difference", "Length", source=source, a=edit)
    means, worst = (dict(rows["a"][column]) for column in ("metrics", "worst"))
    assert means[f"{METRICS}:Windowed"] == pytest.approx(50, abs=1)
    assert worst[f"{METRICS}:Windowed"] == pytest.approx(80, abs=1)
    assert worst[f"{METRICS}:Kept"] == pytest.approx(255 - 80, abs=1)
    assert means[f"{METRICS}:Difference"] == pytest.approx(50, abs=1)  # of the clip as a whole
    assert means[f"{METRICS}:Length"] == 48
    assert worst.keys() == {f"{METRICS}:Windowed", f"{METRICS}:Kept"}


def test_the_last_window_ends_with_the_clip(tmp_path):
    source, edit = long_clips(20, {16: 80})
    rows, _ = measure(tmp_path, "Windowed", source=source, a=edit)
    assert dict(rows["a"]["metrics"])[f"{METRICS}:Windowed"] == pytest.approx(10, abs=1)
    assert dict(rows["a"]["worst"])[f"{METRICS}:Windowed"] == pytest.approx(20, abs=1)


def test_a_window_without_a_value_does_not_count(tmp_path):
    source, edit = long_clips(48, {0: 20, 32: 40})
    rows, _ = measure(tmp_path, "Kept", "Windowed", source=source, a=edit)
    assert dict(rows["a"]["metrics"])[f"{METRICS}:Kept"] == pytest.approx(255 - 30, abs=1)
    assert dict(rows["a"]["worst"])[f"{METRICS}:Kept"] == pytest.approx(255 - 40, abs=1)
    assert rows["a"]["measure_message"] == f"{METRICS}:Kept: nothing changed"


def test_a_clip_of_one_window_has_no_worst_window(tmp_path):
    source, edit = long_clips(16, {0: 20})
    rows, _ = measure(tmp_path, "Windowed", "Difference", source=source, a=edit)
    assert rows["a"]["worst"] is None
    assert len(set(dict(rows["a"]["metrics"]).values())) == 1


BAD = "raise in the metric"


def test_a_metric_that_raises_fails_only_its_edit(tmp_path):
    rows, done = measure(tmp_path, "Difference", "Poisoned", **{BAD: ok(), "a dog": ok()})
    assert (done["ok"], done["failed"]) == (1, 1)
    failed = rows[BAD]
    assert (failed["status"], failed["error_stage"]) == ("failed", "measure")
    assert failed["error_type"] == "ZeroDivisionError"
    assert failed["error_message"] == f"{METRICS}:Poisoned: no flow, no error"
    assert rows["a dog"]["status"] == "ok"
    assert done["failures"][0]["row_id"] == BAD


def test_only_successful_edits_are_measured(tmp_path):
    rows, done = measure(tmp_path, "Difference", a=ok(), b={"status": "failed"})
    assert list(rows) == ["a"] and done["ok"] == 1
    rows, done = measure(tmp_path, "Difference", b={"status": "failed"})
    assert not rows and (done["ok"], done["failed"]) == (0, 0)


@pytest.mark.parametrize("rotten", ["source", "edit"])
def test_a_stored_video_that_cannot_be_decoded_fails_its_edits(tmp_path, rotten):
    if rotten == "source":
        rows, _ = measure(tmp_path, "Difference", source=b"rotten", a=ok(), b=ok())
        assert {row["error_type"] for row in rows.values()} == {"DecodeFailed"}
    else:
        rows, _ = measure(tmp_path, "Difference", a=ok(b"rotten"), b=ok())
        assert rows["a"]["error_type"] == "DecodeFailed" and rows["b"]["status"] == "ok"


def test_a_metric_is_constructed_once_per_process(tmp_path):
    Counting.made = 0
    for name in "ab":
        rows, _ = measure(tmp_path / name, "Counting", a=ok(), b=ok())
        assert [row["metrics"] for row in rows.values()] == [[(f"{METRICS}:Counting", 1.0)]] * 2


def test_a_metric_that_cannot_be_constructed_fails_no_edit(tmp_path):
    problem = f"metric {METRICS}:Broken: the metric's weights are rotten"
    _, done = measure(tmp_path, "Broken", problem=problem, a=ok())
    assert done["failures"] == [] and not (tmp_path / "measures").exists()
