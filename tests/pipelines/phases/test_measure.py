"""Detection of measured edits by file names, and the workers that measure."""

import pyarrow as pa
import pytest

from pipelines import plugins
from pipelines.config.loading import load_config
from pipelines.errors import ConfigError
from pipelines.phases.measure import MeasureWork
from pipelines.reliability.deadline import Deadline
from pipelines.schema import CLIPS, EDITS, rows_table
from pipelines.stages.rungs import Rung
from pipelines.storage import Storage
from pipelines.tables.edits import commit_edits, committed, edits_file
from pipelines.tables.measures import (
    MEASURE_ITEMS,
    commit_measures,
    measures_of,
    pending_measures,
)
from pipelines.tables.plan import read_plan
from tests.pipelines.phases.test_edit import done, plan_of, planned
from tests.pipelines.stages.test_measure_clip import GREY, LIGHT


def configured(*metrics):
    return load_config(assignments=[f"measure.metrics=[{', '.join(metrics)}]"])


CONFIG = configured("motion_error")


@pytest.fixture
def output(tmp_path):
    return Storage(str(tmp_path))


def pending(output, config=CONFIG):
    plan = read_plan(output)
    return pending_measures(output, config, plan, committed(output, plan)).to_pylist()


def measure_all(output, config=CONFIG):
    for item in pending(output, config):
        commit_measures(output, item["measures"], done(*item["edit_ids"]))


def measured(output, config=CONFIG):
    plan = read_plan(output)
    table = measures_of(output, plan, committed(output, plan), config)
    return dict(zip(table["edit_id"].to_pylist(), table["file"].to_pylist(), strict=True))


def test_a_file_of_edits_is_pending_until_it_is_measured(output):
    plan_of(output, *planned("1", "x", "y"), *planned("2", "x"), *planned("3", "x"))
    commit_edits(output, done("1-x", "1-y"))
    commit_edits(output, done("2-x"))
    first, second = pending(output)
    assert (first["clip_row"], first["edit_ids"]) == ("1", ["1-x", "1-y"])
    assert first["target_prompts"] == ["x", "y"]
    assert first["edit_file"] == edits_file(["1-x", "1-y"])
    commit_measures(output, first["measures"], done("1-x", "1-y"))
    assert [item["clip_row"] for item in pending(output)] == ["2"]
    assert measured(output).keys() == {"1-x", "1-y"}
    commit_measures(output, second["measures"], done("2-x"))
    assert len(pending(output)) == 0


def test_a_change_of_metrics_measures_again_and_keeps_earlier_results(output):
    plan_of(output, *planned("1", "x"))
    commit_edits(output, done("1-x"))
    measure_all(output)
    other = configured("motion_error", "frame_consistency")
    assert len(pending(output, other)) == 1 and not measured(output, other)
    measure_all(output, other)
    assert measured(output, other)["1-x"] != measured(output)["1-x"]
    assert len(pending(output)) == len(pending(output, configured())) == 0


def test_a_change_of_limits_does_not_measure_again(output):
    plan_of(output, *planned("1", "x"))
    commit_edits(output, done("1-x"))
    measure_all(output)
    limits = ["measure.metrics=[motion_error]", "publish.limits.motion_error.max=3"]
    assert len(pending(output, load_config(assignments=limits))) == 0


def test_repeated_edits_are_measured_again(output):
    plan_of(output, *planned("1", "x"), *planned("2", "x"))
    for name in ("1-x", "2-x"):
        commit_edits(output, [{"edit_id": name, "status": "ok"}])
    measure_all(output)
    commit_edits(output, [{"edit_id": "1-x", "status": "ok", "edited_video": b"video" * 50}])
    assert [item["edit_ids"] for item in pending(output)] == [["1-x"]]


def test_an_edit_that_returns_to_the_plan_is_measured(output):
    plan_of(output, *planned("1", "x"))
    commit_edits(output, done("1-x", "1-y"))
    measure_all(output)
    plan_of(output, *planned("1", "x", "y"))
    assert [item["edit_ids"] for item in pending(output)] == [["1-x", "1-y"]]
    measure_all(output)
    assert measured(output).keys() == {"1-x", "1-y"}


@pytest.mark.usefixtures("ray_cluster")
def test_a_metric_that_requires_a_gpu_is_computed_in_a_pool_of_workers(output):
    metric = "tests.pipelines.fakes.metrics:OnGPU"
    names = f"measure.metrics=['{metric}', motion_error]"
    config = load_config(assignments=[names, "execution.torch_threads=3"])
    items = []
    for name in ("a", "b", "c"):
        clip = {"row_id": name, "source_video": GREY, "mask": None}
        output.write_table(f"clips/{name}.parquet", rows_table([clip], CLIPS))
        edit = {"edit_id": name, "status": "ok", "edited_video": LIGHT}
        output.write_table(f"edits/{name}.parquet", rows_table([edit], EDITS))
        item = {"clip_file": f"clips/{name}.parquet", "clip_row": name, "source_prompt": "a cat"}
        item |= {"edit_file": f"edits/{name}.parquet", "edit_ids": [name], "target_prompts": ["b"]}
        item |= {"target_wheres": ["subject"], "edit_lists": [None]}
        items.append(item | {"measures": name})
    work = MeasureWork(output, config, Rung(0, config, pa.table({})))
    assert (work.workers, work.first_block_size(100)) == (1, 1)  # the cluster has one GPU
    built = work.build(pa.Table.from_pylist(items, MEASURE_ITEMS), 1, Deadline(60.0))
    assert [row["ok"] for row in built.take_all()] == [1, 1, 1]
    rows = [output.read_table(f"measures/{name}.parquet").to_pylist()[0] for name in "abc"]
    assert [dict(row["metrics"])[metric] for row in rows] == [1.0, 1.0, 1.0]


def test_gpus_for_metrics_that_use_none_are_refused():
    config = load_config(assignments=["execution.gpus_per_metric=0.5"])
    with pytest.raises(ConfigError, match="gpus_per_metric 0.5: no metric runs on a GPU"):
        plugins.check_metrics(config, used=False)
