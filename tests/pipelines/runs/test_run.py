"""The phases together, on a real local cluster, on files made by the test."""

import json
import os
import re
import shutil
from collections import Counter

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import ray

from pipelines.cluster import cluster
from pipelines.config.loading import load_config
from pipelines.english.instructions import instruction_columns
from pipelines.errors import RunError
from pipelines.media import masks
from pipelines.media.encode import decode_video, encode_video
from pipelines.runs.copy_run import copy_run
from pipelines.runs.failures import failures, forget, manifest
from pipelines.runs.open_run import open_run
from pipelines.schema import DATASET
from pipelines.sources.listing import find_sources
from pipelines.storage import Storage
from pipelines.tables.plan import read_plan
from strmatch import STRMatch, load_backbone
from strmatch.presets import load_preset

EDITORS = "tests.pipelines.fakes.editors"
SMALL = ["clip.num_frames=8", "clip.height=32", "clip.width=32"]
SMALL += ["annotate.captioner=template", "annotate.mask_check.required=false"]
METRICS = "tests.pipelines.fakes.metrics"
DIFFERENCE, BACKGROUND = f"{METRICS}:Difference", f"{METRICS}:Background"
SMALL += [f"measure.metrics=[{DIFFERENCE}, {BACKGROUND}]"]
pytestmark = pytest.mark.usefixtures("ray_cluster")
PRESET_LAM = load_preset("miniature").edit.lam


def moving_square(frames=16, size=64, colour=(220, 40, 40)):
    video = np.full((frames, size, size, 3), (40, 90, 60), np.uint8)
    for i in range(frames):
        video[i, 20:36, 4 + 2 * i : 20 + 2 * i] = colour
    return video


def write_video(path, **kwargs):
    path.write_bytes(encode_video(moving_square(**kwargs), 8.0))


def begin(input, output, *assignments, editor="Invert", replan=False):
    config = load_config(assignments=[*SMALL, f"editor={EDITORS}:{editor}", *assignments])
    return open_run(str(output), config, str(input), replan=replan)


def run(input, output, *assignments, editor="Invert"):
    with (
        begin(input, output, *assignments, editor=editor) as opened,
        cluster(opened.config.execution),
    ):
        opened.all_phases()
    return opened.record.model_dump()


def dataset(output):
    return pd.read_parquet(output / "dataset")


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """Good and bad videos, captions with and without a known noun, under difficult names."""
    folder = tmp_path_factory.mktemp("it's “mixed” é")
    write_video(folder / "a good one.mp4")
    write_video(folder / "naïve 'quote'.mp4", frames=40)
    write_video(folder / "short.mp4", frames=5)
    write_video(folder / "no noun.mp4", colour=(30, 30, 200))
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "text.mp4").write_text("not a video")
    rows = [
        {"uri": "a good one.mp4", "caption": "a cat", "targets": ["a dog", "a fox"], "label": 1},
        {"uri": "naïve 'quote'.mp4", "caption": "a red car", "label": 2, "split": "train"},
        {"uri": "short.mp4", "label": 3},
        {"uri": "no noun.mp4", "caption": "the sublime", "label": 4},
        {"uri": "empty.mp4", "label": 5},
        {"uri": "text.mp4", "label": 6},
        {"uri": "missing.mp4", "label": 7},
        {"uri": "../outside.mp4", "label": 8},
        # The first again: an exact duplicate.
        {"uri": "a good one.mp4", "caption": "a cat", "targets": ["a dog", "a fox"], "label": 1},
    ]
    (folder / "manifest.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    return folder


@pytest.fixture(scope="module")
def published(mixed):
    """A finished run, read-only: its output and its record."""
    record = run(mixed / "manifest.jsonl", mixed / "out", editor="Picky")
    return mixed / "out", record


@pytest.fixture
def copied(published, tmp_path):
    """The output of the finished run, for a test that changes it."""
    return shutil.copytree(published[0], tmp_path / "copied")


def test_every_planned_edit_clip_and_source_has_its_row(published):
    output, record = published
    rows = dataset(output)
    plan = read_plan(Storage(str(output))).to_pylist()
    # Clips: 2 of the cat, which is twice in the manifest; 4 of the car; 2 without a noun. 5 bad
    # sources.
    assert record["phases"]["annotate"] | {"seconds": 0} == {
        "seconds": 0, "sources": 9, "clips": 8, "rejected": 0, "failed": 7, "new": 9,
    }  # fmt: skip
    assert record["phases"]["plan"] | {"seconds": 0} == {
        "seconds": 0, "planned": 12, "duplicates": 4,
    }  # fmt: skip
    assert rows["level"].value_counts().to_dict() == {"edit": 12, "clip": 2, "source": 5}
    assert rows["row_id"].is_unique
    assert rows["row_id"].notna().all()
    assert set(rows[rows["level"] == "edit"]["row_id"]) == {row["edit_id"] for row in plan}
    assert record["counts"] == {"rows": 19, "ok": 10, "rejected": 0, "failed": 9}
    assert (output / "_SUCCESS").exists()
    assert json.loads((output / "run.json").read_text())["counts"] == record["counts"]


def test_every_failure_names_its_cause(published):
    rows = dataset(published[0])
    failed = rows[rows["status"] == "failed"].drop_duplicates("source_uri").set_index("source_uri")
    reasons = failed[["error_stage", "error_type"]].apply(tuple, axis=1).to_dict()
    assert reasons == {
        "a good one.mp4": ("edit", "ValueError"),
        "short.mp4": ("decode", "TooShort"),
        "no noun.mp4": ("target", "NoTarget"),
        "empty.mp4": ("decode", "EmptyFile"),
        "text.mp4": ("decode", "NotAVideo"),
        "missing.mp4": ("decode", "FileMissing"),
        "../outside.mp4": ("decode", "BadManifestRow"),
    }
    assert failed.loc["a good one.mp4", "error_message"] == "no dogs, please"
    assert "5 frames from 0 s on" in failed.loc["short.mp4", "error_message"]


def test_edits_say_how_their_targets_came_about(published):
    rows = dataset(published[0])
    edits = rows[rows["level"] == "edit"]
    given = edits[edits["source_uri"] == "a good one.mp4"]
    columns = ["target_kind", "source_word", "target_word", "target_distance"]
    assert len(given) and given[columns].isna().all(axis=None)
    derived = edits[edits["source_uri"] != "a good one.mp4"]
    assert set(derived["target_kind"]) == {"noun_near", "recolour"}
    for row in derived.to_dict("records"):
        swapped = row["source_prompt"].replace(row["source_word"], row["target_word"])
        assert swapped.removeprefix("a ") == row["target_prompt"].split(" ", 1)[1]
        assert (row["target_distance"] == 0) == (row["target_kind"] == "recolour")


def test_edits_have_an_instruction_and_the_way_back(published):
    columns = ["instruction", "inverse_instruction"]
    rows = pq.read_table(published[0] / "dataset").to_pylist()
    for row in rows:
        is_edit = row["level"] == "edit"
        told = instruction_columns(row) if is_edit else dict.fromkeys(columns)
        assert {name: row[name] for name in columns} == told
        if row["target_word"]:
            assert row["target_word"].split()[0] in row["instruction"]
    assert {row["level"] for row in rows} > {"edit"}


def test_ok_rows_hold_what_they_say(published):
    rows = dataset(published[0])
    for row in rows[rows["status"] == "ok"].to_dict("records"):
        source, edited = decode_video(row["source_video"]), decode_video(row["edited_video"])
        assert source.shape == edited.shape == (row["num_frames"], row["height"], row["width"], 3)
        inside = np.ones(source.shape[:3], bool)
        if row["mask_source"] != "none":
            inside = masks.decode(row["mask"])
        expected = np.where(inside[..., None], 255 - source, source)
        # Colour is stored at half the resolution and bleeds over the mask's edge.
        assert np.abs(expected.astype(int) - edited).mean() < 8
    # The car drives out of the picture.
    car = rows[rows["source_uri"] == "naïve 'quote'.mp4"]
    assert set(car["mask_source"]) == {"contrast", "none"}
    assert sorted(car["start_seconds"].unique()) == [0, 1, 2, 3]


def test_the_manifests_columns_are_carried(published):
    rows = dataset(published[0])
    assert rows["label"].dtype == "int64"
    by_source = rows.groupby("source_uri")["label"].unique().map(list).to_dict()
    assert by_source["a good one.mp4"] == [1]
    assert by_source["missing.mp4"] == [7]


def test_other_readers_take_the_dataset(published, tmp_path):
    """Also where the first file holds nothing but failed rows."""
    import datasets

    rows = pq.read_table(published[0] / "dataset")
    failed = pa.compute.equal(rows["status"], "failed")
    for name, part in (("a", rows.filter(failed)), ("b", rows.filter(pa.compute.invert(failed)))):
        pq.write_table(part, tmp_path / f"{name}.parquet")
    assert rows.schema.remove_metadata().equals(
        pa.schema(
            [
                *DATASET,
                ("metric_tests_pipelines_fakes_metrics_Difference", pa.float64()),
                ("metric_tests_pipelines_fakes_metrics_Background", pa.float64()),
                ("label", pa.int64()),
                ("split", pa.string()),
            ]
        ).remove_metadata()
    )
    assert len(pd.read_parquet(tmp_path)) == 19
    assert ray.data.read_parquet(str(tmp_path)).count() == 19
    loaded = datasets.load_dataset(
        "parquet",
        data_files=str(tmp_path / "*.parquet"),
        split="train",
        cache_dir=str(tmp_path / "cache"),
    )
    assert loaded.num_rows == 19
    assert {row["row_id"] for row in loaded} == set(rows["row_id"].to_pylist())


def test_the_report_shows_edits_and_reasons(published):
    report = published[0] / "report"
    text = (report / "rows-000.js").read_text()
    rows = json.loads(text.removeprefix("addRows(").removesuffix(");\n"))
    assert Counter(row["status"] for row in rows) == {"ok": 10, "failed": 9}
    assert any(row["source_uri"] == "naïve 'quote'.mp4" for row in rows)
    assert any(row.get("error_message") == "no dogs, please" for row in rows)
    for row in rows:
        if row["status"] == "ok":
            edit = (report / "clips" / f"{row['row_id']}-edit.mp4").read_bytes()
            assert decode_video(edit).shape == (8, 32, 32, 3)


@pytest.mark.slow
def test_the_same_run_again_makes_the_same_rows(published, mixed, tmp_path):
    first = dataset(published[0]).sort_values("row_id")
    run(mixed / "manifest.jsonl", tmp_path / "again", editor="Picky")
    again = dataset(tmp_path / "again").sort_values("row_id")
    for column in ("row_id", "clip_id", "status", "source_video", "edited_video"):
        assert first[column].fillna("").tolist() == again[column].fillna("").tolist()


def test_a_finished_run_does_nothing_twice(copied, mixed):
    output = copied
    before = {path: path.stat().st_mtime_ns for path in output.glob("[cem]*/*.parquet")}
    record = run(mixed / "manifest.jsonl", output, editor="Picky")
    assert {path: path.stat().st_mtime_ns for path in output.glob("[cem]*/*.parquet")} == before
    assert [record["phases"][name]["new"] for name in ("annotate", "edit", "measure")] == [0, 0, 0]
    assert record["phases"]["annotate"]["sources"] == 9 and record["phases"]["edit"]["edits"] == 12
    assert record["counts"]["ok"] == 10


def test_lost_files_are_made_again_and_only_they(copied, mixed):
    output = copied
    rows = dataset(output)
    clip, edits = next(iter(output.glob("clips/*"))), sorted(output.glob("edits/*"))
    measures = sorted(output.glob("measures/*"))
    for lost in (clip, edits[0], measures[0]):
        lost.unlink()
    kept = {path: path.stat().st_mtime_ns for path in (*edits[1:], *measures[1:])}
    record = run(mixed / "manifest.jsonl", output, editor="Picky")
    assert record["phases"]["measure"]["new"] in (1, 2, 3, 4)  # also those of the lost edit's clip
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert dataset(output)["row_id"].tolist() == rows["row_id"].tolist()


PROGRAM = re.compile(r"```python\n(.*?)\n```", re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize("folders", [[], ["label"], ["split"]])
def test_the_card_s_programs_read_the_same_rows(
    published, mixed, tmp_path, monkeypatch, request, folders
):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    output = published[0]
    if folders:
        output = request.getfixturevalue("copied")
        run(mixed / "manifest.jsonl", output, f"publish.partition_by={folders}", editor="Picky")
    programs = PROGRAM.findall((output / "README.md").read_text())
    by_datasets, by_pandas, by_ray, video = done = [{} for _ in programs]
    for program, names in zip(programs, done, strict=True):
        exec(program, names)
    columns = [*DATASET.names, "metric_tests_pipelines_fakes_metrics_Difference"]
    columns += [name for name in ("label", "split") if name not in folders]
    expected = rows_of(pq.read_table(output / "dataset").to_pylist(), columns)
    assert len(expected) == 19
    assert rows_of(by_datasets["plain"], columns) == expected
    assert rows_of(by_pandas["rows"].to_dict("records"), columns) == expected
    assert rows_of(by_ray["rows"].take_all(), columns) == expected
    for rows in (by_pandas["rows"].to_dict("records"), by_ray["rows"].take_all()):
        assert {int(row["label"]) for row in rows} == {1, 2, 3, 4, 5, 6, 7, 8}
        splits = [row["split"] for row in rows if isinstance(row["split"], str)]
        assert splits == ["train"] * 8
    (shown,) = {row["edited_video"] for row in expected.values()} & {video["video"]}
    assert np.array_equal(video["frames"], decode_video(shown))
    for row in by_datasets["rows"]:
        if row["status"] == "ok":
            assert decode_video(row["edited_video"]["bytes"]).shape == (8, 32, 32, 3)


def rows_of(rows, columns):
    """Rows by their ids, with lists and nulls as everybody writes them."""

    def plain(value):
        if isinstance(value, list | tuple | np.ndarray):
            return [plain(each) for each in value]
        if isinstance(value, dict):
            return {name: plain(each) for name, each in value.items()}
        return None if value is None or value != value else value

    return {row["row_id"]: {name: plain(row[name]) for name in columns} for row in rows}


def test_every_ok_row_has_what_was_measured_of_its_stored_videos(published):
    output, record = published
    rows = dataset(output)
    assert record["phases"]["measure"] | {"seconds": 0} == {
        "seconds": 0, "clips": 6, "new": 10, "new_failed": 0,
    }  # fmt: skip
    names = [
        f"metric_tests_pipelines_fakes_metrics_{name}" for name in ("Difference", "Background")
    ]
    assert list(rows.columns[-4:]) == [*names, "label", "split"]
    for row in rows.to_dict("records"):
        if row["status"] != "ok":
            assert all(np.isnan(row[name]) for name in [*names, "measure_seconds"])
            continue
        difference = np.abs(
            decode_video(row["source_video"]).astype(int) - decode_video(row["edited_video"])
        )
        assert row[names[0]] == difference.mean()
        if row["mask_source"] == "none":
            assert np.isnan(row[names[1]])
        else:
            assert row[names[1]] == difference[~masks.decode(row["mask"])].mean()
        assert row["measure_seconds"] > 0


def test_other_limits_and_metrics_edit_nothing_again(copied, mixed):
    output = copied
    before, table = dataset(output), pq.read_table(output / "dataset")
    column = "metric_tests_pipelines_fakes_metrics_Difference"
    limit = float(before[column].median())
    edits, measures = mtimes(output, "edits"), mtimes(output, "measures")
    bounds = f"publish.limits={{'{DIFFERENCE}': {{max: {limit}}}}}"
    record = run(mixed / "manifest.jsonl", output, bounds, editor="Picky")
    assert record["phases"]["measure"]["new"] == 0
    assert mtimes(output, "measures") == measures
    rows = dataset(output)
    rejected = rows[rows["status"] == "rejected"]
    assert record["counts"]["rejected"] == len(rejected) == (before[column] > limit).sum() > 0
    assert set(rejected["row_id"]) == set(before[before[column] > limit]["row_id"])
    assert set(rejected["error_stage"]) == {"measure"}
    assert rejected["error_message"].str.match(rf"{DIFFERENCE} \S+ is over {limit:g}").all()
    assert rejected["edited_video"].notna().all()
    (bound,) = record["outcomes"]["bounds"]
    assert bound == {"metric": DIFFERENCE, "end": "max", "value": limit, "edits": len(rejected)}
    edits_ok = (rows["level"] == "edit") & (rows["status"] == "ok")
    assert record["outcomes"]["ok"] == edits_ok.sum()
    card = (output / "README.md").read_text()
    assert f"at most {limit:g}" in card
    assert f"{edits_ok.sum()} of {(rows['level'] == 'edit').sum()} planned edits are ok" in card

    other = f"measure.metrics=[{BACKGROUND}]"
    record = run(mixed / "manifest.jsonl", output, other, editor="Picky")
    assert record["phases"]["measure"]["new"] == 10
    assert column not in dataset(output)
    assert mtimes(output, "measures").items() > measures.items()
    record = run(mixed / "manifest.jsonl", output, editor="Picky")
    assert record["phases"]["measure"]["new"] == 0
    assert pq.read_table(output / "dataset").equals(table)
    assert mtimes(output, "edits") == edits


def mtimes(output, folder):
    return {path: path.stat().st_mtime_ns for path in (output / folder).iterdir()}


def test_what_could_not_be_measured_has_failed_and_is_measured_again(tmp_path):
    (tmp_path / "in").mkdir()
    write_video(tmp_path / "in" / "a.mp4")
    manifest, output = tmp_path / "in" / "m.jsonl", tmp_path / "out"
    manifest.write_text('{"uri": "a.mp4", "targets": ["raise in the metric", "a fox"]}')
    poisoned = f"measure.metrics=[{METRICS}:Poisoned]"
    with begin(manifest, output, poisoned) as opened:
        opened.annotate()
        opened.plan()
        opened.edit()
        with pytest.raises(RunError, match="4 edits are not measured; `strmatch measure` or"):
            opened.publish()
    run(manifest, output, poisoned)
    rows = dataset(output)
    failed = rows[rows["target_prompt"] == "raise in the metric"]
    assert set(failed["error_type"]) == {"ZeroDivisionError"} and len(failed) == 2
    assert set(failed["status"]) == {"failed"} and failed["edited_video"].notna().all()
    assert set(rows[rows["target_prompt"] == "a fox"]["status"]) == {"ok"}
    settings = [*SMALL, poisoned, f"editor={EDITORS}:Invert"]
    config, storage = load_config(assignments=settings), Storage(str(output))
    found = failures(storage, config)
    assert [row["row_id"] for row in found] == failed["row_id"].tolist()
    edits = mtimes(output, "edits")
    forget(storage, config, found)
    record = run(manifest, output, poisoned)
    assert record["phases"]["measure"]["clips"] == 2 and mtimes(output, "edits") == edits
    with pytest.raises(RunError, match=f"^metric {METRICS}:Weightless: no weights at all$"):
        run(manifest, output, f"measure.metrics=[{METRICS}:Weightless]")
    stopped = f"^metric {METRICS}:Broken: the metric's weights are rotten$"
    with pytest.raises(RunError, match=stopped) as raised:
        run(manifest, output, f"measure.metrics=[{METRICS}:Broken]")
    assert "\n" not in str(raised.value)
    assert not (output / "_SUCCESS").exists()


def test_a_run_with_other_settings_is_refused(copied, mixed):
    with pytest.raises(RunError, match=rf"edit\.lam: {PRESET_LAM} → 0\.5\): choose another"):
        run(mixed / "manifest.jsonl", copied, "edit.lam=0.5", editor="Picky")
    assert (copied / "_SUCCESS").exists()


def test_an_output_has_one_run_at_a_time(mixed, tmp_path):
    with begin(mixed / "manifest.jsonl", tmp_path / "out") as opened:
        second = pytest.raises(RunError, match=rf"held by another run: process {os.getpid()} on ")
        with second, begin(mixed / "manifest.jsonl", tmp_path / "out"):
            pass
        opened.annotate()
    with begin(mixed / "manifest.jsonl", tmp_path / "out"):
        pass


def test_settings_of_phases_to_come_may_still_change(copied, mixed, tmp_path):
    manifest, other = mixed / "manifest.jsonl", mixed / "a good one.mp4"
    with begin(manifest, tmp_path / "out") as opened:
        opened.annotate()
    with begin(manifest, tmp_path / "out", "edit.lam=0.5") as opened:
        opened.plan()
    changed = pytest.raises(RunError, match=rf"\(edit\.lam: 0\.5 → {PRESET_LAM}\)")
    with changed, begin(manifest, tmp_path / "out"):
        pass
    changed = pytest.raises(RunError, match="input: .*manifest.jsonl → .*a good one.mp4")
    with changed, begin(other, tmp_path / "out", "edit.lam=0.5"):
        pass

    output = copied
    before = dataset(output)["row_id"].tolist()
    run(mixed / "manifest.jsonl", output, "publish.file_mb=0.01", editor="Picky")
    assert len(list((output / "dataset").iterdir())) > 1
    run(mixed / "manifest.jsonl", output, "publish.partition_by=[label]", editor="Picky")
    rows = dataset(output)
    assert sorted(rows["row_id"]) == sorted(before)
    assert rows["label"].astype(int).value_counts()[2] == 8
    with pytest.raises(RunError, match="the manifest has no column 'splitt'"):
        run(mixed / "manifest.jsonl", output, "publish.partition_by=[splitt]", editor="Picky")
    run(mixed / "manifest.jsonl", output, editor="Picky")
    assert dataset(output)["row_id"].tolist() == before


def test_a_plan_changed_by_hand_is_respected_until_it_is_made_anew(mixed, tmp_path):
    source, output = mixed / "manifest.jsonl", tmp_path / "out"
    with begin(source, output) as opened, cluster(opened.config.execution):
        opened.annotate()
        opened.plan()
        file = output / "plan" / "plan.parquet"
        derived = pd.read_parquet(file)
        cat = derived["source_prompt"] == "a cat"
        changed = derived[cat].copy()
        changed.loc[changed["target_prompt"] == "a dog", "target_prompt"] = "a lion"
        changed["source_prompt"] = "a black cat"
        changed.to_parquet(output / "plan" / "mine.parquet")
        file.unlink()
        opened.plan()
        opened.edit()
        opened.measure()
        opened.publish()
    rows = dataset(output)
    edits = rows[rows["level"] == "edit"]
    assert sorted(edits["target_prompt"]) == sorted(changed["target_prompt"])
    assert set(edits["source_prompt"]) == {"a black cat"}
    assert not set(edits["row_id"]) & set(derived["edit_id"])
    unplanned = rows[rows["error_type"] == "NotPlanned"]
    assert set(unplanned["source_uri"]) == set(derived[~cat]["source_uri"])

    with begin(source, output, replan=True) as opened, cluster(opened.config.execution):
        opened.plan()
    assert pd.read_parquet(file).equals(derived)


@pytest.mark.slow
def test_what_failed_can_be_listed_and_done_again(mixed, tmp_path):
    folder = shutil.copytree(mixed, tmp_path / "in", ignore=shutil.ignore_patterns("out"))
    source, output = folder / "manifest.jsonl", tmp_path / "out"
    run(source, output, editor="Picky")
    storage, before = Storage(str(output)), dataset(output).set_index("row_id")
    config = load_config(assignments=[*SMALL, f"editor={EDITORS}:Picky"])
    found = failures(storage, config)
    assert len(found) == 9
    assert {row["row_id"] for row in found} == set(before[before["status"] == "failed"].index)
    entries = manifest(found, find_sources(str(source), {}))
    dogs = [entry for entry in entries if entry["targets"] == ["a dog"]]
    assert [entry["start_seconds"] for entry in dogs] == [0.0, 1.0]
    assert dogs[0]["uri"].endswith("/a good one.mp4") and dogs[0]["label"] == 1
    assert {entry["label"] for entry in entries} == {1, 3, 4, 5, 6, 7, 8}

    write_video(folder / "missing.mp4")
    with begin(source, output, editor="Picky") as opened:
        forget(storage, config, failures(storage, config, ["FileMissing"]))
        opened.all_phases()
    after = dataset(output).set_index("row_id")
    assert set(before.index) - set(after.index) == set(
        before[before["error_type"] == "FileMissing"].index
    )
    new = after.loc[list(set(after.index) - set(before.index))]
    assert set(new["source_uri"]) == {"missing.mp4"} and set(new["status"]) == {"ok"}


@pytest.mark.slow
def test_a_fork_takes_over_what_other_settings_leave_valid(published, mixed, tmp_path):
    old, new = Storage(str(published[0])), Storage(str(tmp_path / "new"))
    assignments = [*SMALL, f"editor={EDITORS}:Picky"]
    with pytest.raises(RunError, match="there is no run to fork"):
        copy_run(new, old, load_config(assignments=assignments))
    same = load_config(assignments=[*assignments, "publish.file_mb=1"])
    kept = ["annotate", "plan", "edit", "measure"]
    assert copy_run(old, Storage(str(tmp_path / "same")), same) == kept
    other = load_config(assignments=[*assignments, "measure.metrics=[]"])
    assert copy_run(old, Storage(str(tmp_path / "other")), other) == kept[:-1]
    config = load_config(assignments=[*assignments, "edit.lam=0.5"])
    assert copy_run(old, new, config) == ["annotate"]
    with pytest.raises(RunError, match="there is a run already"):
        copy_run(old, new, config)
    record = run(mixed / "manifest.jsonl", tmp_path / "new", "edit.lam=0.5", editor="Picky")
    assert record["phases"]["annotate"]["new"] == 0
    assert record["counts"]["ok"] == 10
    edits = [set(dataset(o)["edit_id"].dropna()) for o in (tmp_path / "new", published[0])]
    assert not edits[0] & edits[1]


def test_a_run_without_an_ok_row_fails_and_says_why(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "empty.mp4").write_bytes(b"")
    with pytest.raises(RunError, match="not one row is ok"):
        run(tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out" / "_SUCCESS").exists()
    assert dataset(tmp_path / "out")["error_type"].tolist() == ["EmptyFile"]


def test_a_seed_multiplies_only_editors_that_use_it(tmp_path):
    (tmp_path / "in").mkdir()
    write_video(tmp_path / "in" / "a.mp4")
    (tmp_path / "in" / "m.jsonl").write_text('{"uri": "a.mp4", "targets": ["a fox"]}')
    ids = {}
    for editor in ("Invert", "Seeded"):
        for seed in (0, 1):
            output = tmp_path / f"{editor}{seed}"
            manifest = tmp_path / "in" / "m.jsonl"
            with begin(manifest, output, f"seed={seed}", editor=editor) as opened:
                opened.annotate()
                opened.plan()
            ids[editor, seed] = read_plan(Storage(str(output)))["edit_id"].to_pylist()
    assert ids["Invert", 0] == ids["Invert", 1]
    assert not set(ids["Seeded", 0]) & set(ids["Seeded", 1])


def test_an_editor_that_cannot_be_built_stops_the_run_in_one_line(tmp_path):
    (tmp_path / "in").mkdir()
    write_video(tmp_path / "in" / "a.mp4")
    with pytest.raises(RunError, match="edit stopped: .*the weights are rotten") as raised:
        run(tmp_path / "in", tmp_path / "out", editor="Broken")
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "out" / "_SUCCESS").exists()


@pytest.mark.slow
def test_the_embedded_model_edits_as_the_library_does(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.mp4").write_bytes(encode_video(moving_square(), 8.0))
    targets = ["a blue square", "a red star"]
    row = {"uri": "a.mp4", "caption": "a red square", "targets": targets}
    (tmp_path / "in" / "m.jsonl").write_text(json.dumps(row))
    settings = ["edit.num_inference_steps=2", "publish.limits=null", "execution.torch_threads=1"]
    config = load_config(assignments=settings)
    input, output = str(tmp_path / "in" / "m.jsonl"), str(tmp_path / "out")
    with open_run(output, config, input) as opened:
        opened.all_phases()

    editor = STRMatch(load_backbone("miniature"))
    for row in dataset(tmp_path / "out").to_dict("records"):
        assert row["status"] == "ok"
        assert json.loads(row["editor_settings"])["num_inference_steps"] == 2
        assert row["model_revision"] == editor.backbone.revision
        frames, mask = decode_video(row["source_video"]), masks.decode(row["mask"])
        inversion = editor.invert(frames, "a red square", num_inference_steps=2)
        expected = editor.edit(inversion, row["target_prompt"], mask=mask).frames
        edited = decode_video(row["edited_video"])
        again = decode_video(encode_video(expected, row["fps"], config.clip.crf))
        assert np.array_equal(edited, again)


@pytest.mark.slow
def test_input_and_output_in_an_object_store(tmp_path, s3):
    write_video(tmp_path / "a b.mp4")
    options = (
        "execution.storage_options="
        f"{{key: k, secret: hush, client_kwargs: {{endpoint_url: '{s3}'}}}}"
    )
    bucket = Storage("s3://bucket", load_config(assignments=[options]).execution.storage_options)
    bucket.fs.mkdir("bucket")
    bucket.write("in/a b.mp4", (tmp_path / "a b.mp4").read_bytes())
    run("s3://bucket/in", "s3://bucket/runs/one", options)
    output = Storage("s3://bucket/runs/one", bucket.options)
    assert output.exists("_SUCCESS")
    (part,) = output.files("dataset")
    rows = output.read_table(part).to_pylist()
    assert [row["status"] for row in rows] == ["ok"] * 4
    assert rows[0]["source_decoder"] == "pyav"
    assert b"hush" not in output.read("run.json")
