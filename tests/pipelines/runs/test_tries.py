"""Further tries of edits outside the limits: the phases of a run, killed at every commit."""

import json
import shutil
from contextlib import contextmanager, nullcontext
from itertools import count

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import ray

from jobs.runs import commands
from jobs.runs.estimate import _speed
from pipelines.config.loading import load_config
from pipelines.errors import RunError
from pipelines.media.encode import decode_video
from pipelines.phases import publish
from pipelines.phases.edit import EditWork
from pipelines.plugins import find_editor
from pipelines.reliability.deadline import Deadline
from pipelines.runs import run as run_module
from pipelines.runs.copy_run import copy_run
from pipelines.runs.failures import failures, forget
from pipelines.runs.open_run import open_run, reopen_run
from pipelines.schema import CLIPS, PLAN, rows_table
from pipelines.stages.edit_clip import ClipEditor
from pipelines.stages.measure_clip import MeasureClip
from pipelines.stages.plan_edits import PlanEdits
from pipelines.storage import Storage
from pipelines.tables.plan import write_plan
from pipelines.tables.record import read_record, write_record
from tests.pipelines.fakes.editors import Improving
from tests.pipelines.support.videos import coded_frames, write_video

EDITORS = "tests.pipelines.fakes.editors"
DIFFERENCE = "tests.pipelines.fakes.metrics:Difference"
COLUMN = "metric_tests_pipelines_fakes_metrics_Difference"
SETTINGS = [
    *("clip.num_frames=2", "clip.height=64", "clip.width=128", "annotate.tracker=none"),
    f"measure.metrics=['{DIFFERENCE}']",
]
IMPROVING = f"editor={EDITORS}:Improving"
LIMIT = f"publish.limits={{'{DIFFERENCE}': {{max: 20}}}}"
TRIES = "edit.tries=2"
TARGETS = {"a.mp4": ["needs 0", "needs 1", "needs 2"], "b.mp4": ["needs 1", "needs 9"]}
MADE_IN = {"needs 0": 0, "needs 1": 1, "needs 2": 2, "needs 9": 2}
UNEQUAL = ("seconds", "inversion_seconds", "measure_seconds")


class KilledError(BaseException):
    """Ends a process: no phase handles it."""


def in_this_process(commits):
    """Stands for `run_to_completion`, and is killed after a number of commits."""

    def run(work, pending):
        for item in pending.to_pylist():
            if not next(commits):
                raise KilledError
            if isinstance(work, EditWork):
                editor = ClipEditor(
                    work.config, work.output, work.editor, work.revision, work.rung.folder
                )
                times = {"began": 0.0, "ended": 1.0, "windows": item["windows"]}
                yield editor(item)[0] | times
            else:
                yield MeasureClip(work.config, work.output, Deadline(60.0))(item)

    return run


@contextmanager
def without_ray(commits=None):
    """The phases from EDIT on run in this process, up to a number of commits."""
    steps = count(1) if commits is None else iter([True] * commits + [False])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ray, "cluster_resources", lambda: {"CPU": 2.0})
        patch.setattr(run_module, "run_to_completion", in_this_process(steps))
        patch.setattr(publish, "_written", lambda parts, write: map(write, parts.to_pylist()))
        patch.setattr(commands, "cluster", nullcontext)
        yield


def prepare(folder, targets, *settings):
    """Write videos, a manifest and an output with a plan; returns the output.

    Args:
        targets: targets of each video, by its name.
    """
    (folder / "in").mkdir()
    for number, name in enumerate(targets):
        write_video(folder / "in" / name, coded_frames(4)[number : number + 2], fps=8)
    rows = [{"uri": uri, "caption": "a cat", "targets": some} for uri, some in targets.items()]
    manifest = folder / "in" / "m.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = load_config(assignments=[*SETTINGS, *settings])
    with open_run(str(folder / "out"), config, str(manifest)) as run:
        clips = [clip_of(source, folder / "in") for source in run.sources.to_pylist()]
        run.output.write_table("clips/c.parquet", rows_table(clips, CLIPS))
        item = {"file": "clips/c.parquet", "clip_rows": [clip["row_id"] for clip in clips]}
        edits = PlanEdits(run.output, config, find_editor(config), run.revision, {})(item)
        write_plan(run.output, rows_table(edits, PLAN).sort_by("source_uri"), item["clip_rows"])
        run.record.phases |= {"annotate": {"seconds": 1.0}, "plan": {"seconds": 1.0}}
        write_record(run.output, run.record)
    return folder / "out"


def clip_of(source, folder):
    """A row of `schema.CLIPS` with the whole video of a source."""
    name = source["source_uri"]
    targets = [{"prompt": prompt, "where": "subject"} for prompt in source["targets"]]
    same = ("source_row", "source_version", "source_uri")
    return {name: source[name] for name in same} | {
        **{"row_id": f"row-{name}", "clip_id": name, "level": "clip", "status": "ok"},
        **{"start_seconds": 0.0, "clips_in_source": 1, "source_prompt": "a cat", "fps": 8.0},
        **{"targets": targets, "source_video": (folder / name).read_bytes()},
    }


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    """An output with a plan, read-only."""
    return prepare(tmp_path_factory.mktemp("planned"), TARGETS, IMPROVING)


def go_on(output, *assignments, commits=None, names=("edit", "measure", "publish")):
    """Continue a run in this process; returns its record."""
    with without_ray(commits), reopen_run(str(output), assignments) as opened:
        opened.run_phases(names)
        return opened.record


def copied(folder, name, tmp_path):
    return shutil.copytree(folder, tmp_path / name)


@pytest.fixture(scope="module")
def finished(planned, tmp_path_factory):
    """A run with two further tries, read-only: its output and its record."""
    output = copied(planned, "finished", tmp_path_factory.mktemp("runs"))
    return output, go_on(output, TRIES, LIMIT)


def dataset(output):
    """The rows in the order of the files, without durations."""
    rows = pq.read_table(output / "dataset").to_pylist()
    return [{name: row[name] for name in row if name not in UNEQUAL} for row in rows]


def by_target(output):
    return {(row["source_uri"], row["target_prompt"]): row for row in dataset(output)}


def files(output):
    """Every file of edits and measures, with the time at which it was written."""
    found = [*output.glob("edits/**/*.parquet"), *output.glob("measures/*.parquet")]
    return {str(path.relative_to(output)): path.stat().st_mtime_ns for path in found}


def test_an_edit_is_made_again_until_it_is_within_the_limits(finished, planned, tmp_path):
    output, record = finished
    plain = copied(planned, "plain", tmp_path)
    go_on(plain, LIMIT)
    first = by_target(plain)
    for (uri, target), row in by_target(output).items():
        made_in = MADE_IN[target]
        assert row["row_id"] == row["edit_id"] == first[uri, target]["row_id"]
        assert row["edit_try"] == made_in and row["seed"] == 0
        assert (row["status"] == "ok") == (target != "needs 9") == (row[COLUMN] < 20)
        source, edited = (decode_video(row[name]) for name in ("source_video", "edited_video"))
        assert abs(row[COLUMN] - abs(source.astype(int) - edited).mean()) < 1e-9
        earlier = row["earlier_tries"] or []
        assert len(earlier) == made_in and (made_in or row["earlier_tries"] is None)
        for each in earlier:
            (value,) = json.loads(each["metrics"]).values()
            assert value == first[uri, target][COLUMN] > 20
            assert each["settings"] == row["editor_settings"]
            assert each["reason"].startswith(f"{DIFFERENCE} {value:.6g} is over 20")
    assert {row["edit_try"] for row in first.values()} == {0}
    edit = record.phases["edit"]
    assert [edit[name] for name in ("clips", "edits", "tries", "new")] == [2, 5, 6, 11]
    assert record.phases["measure"]["new"] == 11 and edit["busy_percent"] > 0
    assert record.counts == {"rows": 5, "ok": 4, "rejected": 1, "failed": 0}


def test_a_run_that_is_killed_at_any_commit_resumes_to_the_same_dataset(
    finished, planned, tmp_path
):
    expected, made = dataset(finished[0]), files(finished[0]).keys()
    total = len(made)
    assert total == 12
    killed = 0
    for commits in range(total):
        output = copied(planned, str(commits), tmp_path)
        with pytest.raises(KilledError):
            go_on(output, TRIES, LIMIT, commits=commits, names=("edit", "measure"))
        killed += 1
        kept = files(output)
        assert len(kept) == commits
        go_on(output, TRIES, LIMIT, names=("edit", "measure"))
        assert files(output).items() >= kept.items() and files(output).keys() == made
        if commits % 4 == 3:  # publishing takes longer than all else
            go_on(output, TRIES, LIMIT)
            assert dataset(output) == expected
        shutil.rmtree(output)
    assert killed == total


def test_phases_alone_lead_to_the_same_dataset(finished, planned, tmp_path):
    output = copied(planned, "phases", tmp_path)
    for number in range(3):
        for name in ("edit", "measure"):
            record = go_on(output, TRIES, LIMIT, names=[name])
            assert record.phases[name]["new"] == [5, 4, 2][number]
    go_on(output, TRIES, LIMIT, names=["publish"])
    assert dataset(output) == dataset(finished[0])


@pytest.mark.parametrize("limits", ["{max: 255}", "{min: 21, max: null}"])
def test_other_limits_publish_again_without_an_edit(finished, planned, tmp_path, limits):
    output, fresh = copied(finished[0], "out", tmp_path), copied(planned, "fresh", tmp_path)
    before, limit = files(output), f"publish.limits={{'{DIFFERENCE}': {limits}}}"
    go_on(output, limit, names=["publish"])
    go_on(fresh, TRIES, limit)
    assert files(output) == before
    if limits == "{max: 255}":
        assert dataset(output) == dataset(fresh)
        return
    # Within these limits are negatives: "needs 0" has none so far.
    same = [target for target in by_target(fresh) if target[1] != "needs 0"]
    assert [by_target(output)[n] for n in same] == [by_target(fresh)[n] for n in same]
    assert by_target(output)["a.mp4", "needs 0"]["edit_try"] == 0
    go_on(output, limit)
    assert dataset(output) == dataset(fresh)


def test_limits_that_no_edit_meets_show_the_last_tries(finished, tmp_path):
    output = copied(finished[0], "out", tmp_path)
    before, limit = files(output), f"publish.limits={{'{DIFFERENCE}': {{min: 300, max: null}}}}"
    with pytest.raises(RunError, match="not one row is ok"):
        go_on(output, limit, names=["publish"])
    assert {target: row["edit_try"] for (_, target), row in by_target(output).items()} == MADE_IN
    assert files(output) == before
    with pytest.raises(RunError, match="not one row is ok"):
        go_on(output, limit)
    assert {row["edit_try"] for row in dataset(output)} == {2}
    assert files(output).items() >= before.items()


def test_fewer_and_more_tries_are_those_of_a_new_run(finished, planned, tmp_path):
    output, fresh = copied(finished[0], "out", tmp_path), copied(planned, "fresh", tmp_path)
    before = files(output)
    for tries in ("edit.tries=1", "edit.tries=0", TRIES):
        go_on(output, tries, names=["publish"])
        go_on(fresh, tries, LIMIT)
        assert dataset(output) == dataset(fresh) and files(output) == before
    assert files(fresh).keys() == before.keys()


def test_a_ladder_gives_a_deterministic_editor_its_settings(tmp_path):
    output = prepare(tmp_path, TARGETS, f"editor={EDITORS}:Stepped", LIMIT)
    go_on(output, TRIES, "edit.ladder=[{step: 1}, {step: 5}]")
    for (_, target), row in by_target(output).items():
        steps = [json.loads(each["settings"])["step"] for each in row["earlier_tries"] or ()]
        steps.append(json.loads(row["editor_settings"])["step"])
        assert steps == [0, 1, 5][: MADE_IN[target] + 1]
    before = files(output)
    go_on(output, TRIES, "edit.ladder=[{step: 1}, {step: 9}]")
    assert by_target(output)["b.mp4", "needs 9"]["status"] == "ok"
    assert by_target(output)["b.mp4", "needs 1"]["edit_try"] == 1
    new = files(output).keys() - before.keys()
    assert files(output).items() >= before.items() and len(new) == 4  # edits and measures, a clip


def test_a_try_that_fails_is_made_again_by_retry_alone(tmp_path, monkeypatch):
    output = prepare(tmp_path, TARGETS | {"a.mp4": ["needs 1", "raise 1"]}, IMPROVING)
    storage = Storage(str(output))
    with reopen_run(str(output), [TRIES, LIMIT]) as opened:
        config = opened.config
    for _ in range(2):
        go_on(output, TRIES, LIMIT)
        row = by_target(output)["a.mp4", "raise 1"]
        assert (row["status"], row["error_type"]) == ("failed", "RuntimeError")
        assert row["edit_try"] == 1 and len(row["earlier_tries"]) == 1
        (failed,) = failures(storage, config, statuses=("failed",))
        assert failed["row_id"] == row["row_id"] != failed["edit_id"]
    rejected = failures(storage, config, statuses=("rejected",))
    assert [each["target_prompt"] for each in rejected] == ["needs 9"]
    before = files(output)
    forget(storage, config, [failed])
    gone = before.keys() - files(output).keys()
    assert {name.rpartition("/")[0] for name in gone} == {"edits/try-1"}
    monkeypatch.setattr(f"{EDITORS}.Improving.edit", lambda self, made, *_: made)
    go_on(output, TRIES, LIMIT)
    row = by_target(output)["a.mp4", "raise 1"]
    assert (row["status"], row["edit_try"]) == ("ok", 1)
    assert by_target(output)["b.mp4", "needs 9"]["edit_try"] == 2


def test_a_rung_with_other_weights_is_refused(tmp_path):
    settings = [f"editor={__name__}:OtherWeights", "edit.ladder=[{weights: b}]"]
    prepare(tmp_path, TARGETS, *settings)
    refused = pytest.raises(RunError, match="^edit.ladder, rung 1: names other weights than the")
    with refused, reopen_run(str(tmp_path / "out"), ["edit.tries=1"]):
        pass


class OtherWeights(Improving):
    @classmethod
    def revision(cls, config):
        return str(config.editor_options.get("weights"))


def test_a_fork_takes_over_the_tries(finished, tmp_path):
    with reopen_run(str(finished[0])) as opened:
        config = opened.config
    new = tmp_path / "new"
    kept = copy_run(Storage(str(finished[0])), Storage(str(new)), config)
    assert kept == ["annotate", "plan", "edit", "measure"]
    assert files(new).keys() == files(finished[0]).keys()


def test_the_estimate_counts_the_tries_of_the_sample(finished):
    output, record = finished
    record = record.model_copy(deep=True)
    record.phases["annotate"] |= {"sources": 2, "clips": 2, "new": 2}
    record.phases["plan"] |= {"planned": 5}
    record.phases["measure"] |= {"seconds": 22.0, "new": 11}
    config = load_config(assignments=[*SETTINGS, IMPROVING])
    speed = _speed(Storage(str(output)), config, record.phases, "here")
    assert (speed.clips, speed.windows, speed.edits, speed.tries) == (1, 1, 2.5, 3)
    assert speed.measure_seconds == pytest.approx(2.0 * 5.5)
    seconds = [pd.read_parquet(path)["seconds"].sum() for path in output.glob("edits/**/*.parquet")]
    assert speed.window_seconds == pytest.approx(sum(seconds) / 2)


def test_the_estimate_counts_the_windows_of_long_clips(finished):
    """Six and four frames are five and three windows of two frames, with a stride of one."""
    output, record = finished
    longer = shutil.copytree(output, output.parent / "longer")
    plan = pq.read_table(longer / "plan/plan.parquet")
    frames = [6 if uri == "a.mp4" else 4 for uri in plan["source_uri"].to_pylist()]
    place = plan.column_names.index("num_frames")
    plan = plan.set_column(place, plan.field(place), pa.array(frames, pa.int32()))
    pq.write_table(plan, longer / "plan/plan.parquet")
    record = record.model_copy(deep=True)
    record.phases["annotate"] |= {"sources": 2, "clips": 2, "new": 2}
    record.phases["plan"] |= {"planned": 5}
    config = load_config(assignments=[*SETTINGS, IMPROVING])
    speed = _speed(Storage(str(longer)), config, record.phases, "here")
    seconds = [pd.read_parquet(path)["seconds"].sum() for path in longer.glob("edits/**/*.parquet")]
    assert speed.windows == 4
    assert speed.window_seconds == pytest.approx(sum(seconds) / 8)


def test_retry_makes_the_tries_of_what_it_repeats(planned, tmp_path):
    output = copied(planned, "out", tmp_path)
    go_on(output, TRIES, LIMIT)
    for path in (output / "edits").glob("*.parquet"):
        rows = pq.read_table(path).to_pylist()
        failed = {"status": "failed", "error_type": "Lost", "edited_video": None}
        lost = [row | failed for row in rows]
        pq.write_table(pq.read_table(path).from_pylist(lost, pq.read_schema(path)), path)
    shutil.rmtree(output / "measures")
    shutil.rmtree(output / "edits" / "try-1")
    shutil.rmtree(output / "edits" / "try-2")
    go_on(output, TRIES, LIMIT, names=["measure"])
    record = read_record(Storage(str(output)))
    done = {name: record.phases[name] for name in ("edit", "measure", "publish")}
    write_record(Storage(str(output)), record.model_copy(update={"phases": done}))
    with without_ray():
        commands.retry(str(output), [], [TRIES, LIMIT])
    assert {t: row["edit_try"] for (_, t), row in by_target(output).items()} == MADE_IN
