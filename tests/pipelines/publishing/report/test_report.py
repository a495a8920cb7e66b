import json
import re
import tracemalloc

import pyarrow.parquet as pq
import pytest

from pipelines.config.loading import load_config
from pipelines.publishing.report import LONGEST, script, write_report
from tests.pipelines.publishing.report.runs import HOSTILE, mixed_rows, publish, record_of, row_id


def entries(report):
    """The content of the row files, read as the JSON in them."""
    found = []
    for path in sorted(report.glob("rows-*.js")):
        text = path.read_text()
        found += json.loads(text.removeprefix("addRows(").removesuffix(");\n"))
    return found


def facts(report):
    text = (report / "run.js").read_text()
    return json.loads(text.removeprefix("const RUN = ").removesuffix(";\n"))


@pytest.fixture(scope="module")
def sampled(tmp_path_factory):
    folder, rows = tmp_path_factory.mktemp("run"), mixed_rows(300)
    config = load_config(assignments=["execution.report_rows=20", "seed=3"])
    (folder / "report").mkdir()
    (folder / "report" / "rows-099.js").write_text("left from before")
    record = record_of(config)
    record.phases["publish"] = {"seconds": 1.0, "rows": 2}
    write_report(publish(folder, rows), config, record)
    return folder / "report", rows


def test_every_row_is_listed_with_the_values_that_the_page_shows(sampled):
    report, rows = sampled
    expected = {row["row_id"]: row for row in rows}
    found = entries(report)
    assert sorted(row["row_id"] for row in found) == sorted(expected)
    assert len(list(report.glob("rows-*.js"))) == 2
    for row in found:
        given = expected[row["row_id"]]
        for name in ("status", "source_uri", "target_prompt", "source_word", "error_message"):
            assert row.get(name) == given.get(name)
        metrics = [given.get(f"metric_{d['name']}") for d in facts(report)["distributions"][:-1]]
        assert row["numbers"] == [*metrics, given.get("seconds")]


def test_failures_and_a_sample_have_clips(sampled):
    report, rows = sampled
    videos = {row["row_id"]: row["videos"] for row in entries(report)}
    has = {"source": "source_video", "edit": "edited_video", "mask": "mask"}
    for row in rows:
        if row["status"] != "ok":
            assert videos[row["row_id"]] == [k for k in has if row.get(has[k]) is not None]
    ok = [row["row_id"] for row in rows if row["status"] == "ok"]
    assert sum(bool(videos[name]) for name in ok) == 20
    written = {path.name for path in report.glob("clips/*")}
    assert written == {f"{name}-{k}.mp4" for name, kinds in videos.items() for k in kinds}
    with_edit = next(row for row in rows if "edit" in videos[row["row_id"]])
    edit = report / "clips" / f"{with_edit['row_id']}-edit.mp4"
    assert edit.read_bytes() == with_edit["edited_video"]


def test_the_record_lists_the_phases_without_an_earlier_publishing(sampled):
    found = facts(sampled[0])
    assert (found["rows"], found["listed"], found["files"]) == (300, 300, 2)
    assert found["record"]["config"]["seed"] == 3
    assert list(found["record"]["phases"]) == ["annotate", "plan", "edit"]


def test_text_in_scripts_is_escaped(sampled):
    for path in [*sampled[0].glob("rows-*.js"), sampled[0] / "run.js"]:
        assert re.fullmatch(r"[\n -~]*", path.read_text(encoding="utf-8"))
        assert not re.search("[<>&]", path.read_text(encoding="utf-8"))
    for text in HOSTILE:
        assert json.loads(script({text: text})) == {text: text}


def test_the_page_refers_to_no_other_address(sampled):
    page = "".join(path.read_text() for path in sampled[0].glob("*.*") if path.suffix != ".mp4")
    addresses = set(re.findall(r"https?://[^\s\"'`]+", page))
    assert addresses == {"http://www.w3.org/2000/svg"}
    assert "innerHTML" not in page and "eval(" not in page


def test_bounds_on_the_page_apply_to_the_worst_windows(tmp_path):
    row = {"level": "edit", "status": "ok", "metric_seam": 1.0}
    rows = [
        row | {"row_id": row_id(n), "metric_changed": 0.7, "metric_changed_worst": 0.5 + n / 10}
        for n in range(3)
    ]
    config = load_config(
        assignments=["measure.metrics=[changed, seam]", "publish.limits={changed: {min: 0.4}}"]
    )
    output = publish(tmp_path, rows, ["changed", "changed_worst", "seam"], files=1)
    write_report(output, config, record_of(config))
    found = facts(tmp_path / "report")
    assert [(each["name"], each["column"], each["min"]) for each in found["metrics"]] == [
        ("changed", "changed_worst", 0.4),
        ("seam", "seam", None),
    ]
    edits = (tmp_path / "report/edits.js").read_text()
    values = json.loads(edits.removeprefix("const EDITS = ").removesuffix(";\n"))["values"]
    assert sorted(values[0]) == [0.5, 0.6, 0.7] and values[1] == [1.0] * 3
    shown = [each["name"] for each in found["distributions"]]
    assert shown == ["changed", "changed_worst", "seam", "seconds"]


def test_long_texts_are_shortened(tmp_path):
    row = {"row_id": row_id(0), "level": "source", "status": "failed", "error_message": "x" * 9000}
    config = load_config()
    write_report(publish(tmp_path, [row], metrics=(), files=1), config, record_of(config))
    (found,) = entries(tmp_path / "report")
    assert len(found["error_message"]) == LONGEST


def test_a_run_without_rows_has_a_page(tmp_path):
    config = load_config()
    write_report(publish(tmp_path, [], files=1), config, record_of(config))
    assert facts(tmp_path / "report")["files"] == 0
    assert (tmp_path / "report/index.html").exists()


def test_only_a_few_videos_are_in_memory_at_a_time(tmp_path):
    video = 200_000
    common = {"level": "edit", "status": "failed", "fps": 8.0}
    rows = [common | {"row_id": row_id(n), "source_video": bytes([n]) * video} for n in range(250)]
    config = load_config()
    output = publish(tmp_path, rows, metrics=(), files=2)
    assert pq.ParquetFile(tmp_path / "dataset/part-00000.parquet").num_row_groups > 1
    tracemalloc.start()
    write_report(output, config, record_of(config))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(list(tmp_path.glob("report/clips/*"))) == 250
    assert peak < 40 * video
