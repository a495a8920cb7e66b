import re
from types import SimpleNamespace

import pytest

from jobs.runs.summary import headline, summarise
from pipelines.config.sections import Bounds
from pipelines.schema import DATASET, rows_table, with_metrics
from pipelines.tables.outcomes import OutcomeCounter
from tests.pipelines.publishing.report.runs import LIMITS, judged_rows

BOUNDS = {name: Bounds(min=least, max=most) for name, (least, most) in LIMITS.items()}
PHASES = {
    "annotate": {"seconds": 95.2, "sources": 1234, "clips": 4936, "rejected": 0, "failed": 12}
    | {"new": 1234},
    "edit": {"seconds": 4312.0, "clips": 12, "edits": 24, "new": 24, "new_failed": 2}
    | {"busy_percent": 93},
    "measure": {"seconds": 1.0, "clips": 12, "new": 0, "new_failed": 0},
}


def outcomes(rows):
    counter = OutcomeCounter(BOUNDS)
    counter.add(rows_table(rows, with_metrics(DATASET, list(LIMITS))))
    return counter.result()


def printed(capsys, monkeypatch, found):
    monkeypatch.setenv("COLUMNS", "80")
    record = SimpleNamespace(phases=PHASES, outcomes=found)
    summarise(SimpleNamespace(record=record, output="runs/first"))
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def test_the_summary_shows_how_many_edits_are_ok_and_why_others_are_not(capsys, monkeypatch):
    rows = judged_rows(700)
    lines = printed(capsys, monkeypatch, outcomes(rows))
    assert all(len(line) <= 80 for line in lines)
    assert lines[0] == ("  annotate  95.2 s    1234 sources, 4936 clips, 12 failed (1234 new)")
    assert lines[1].endswith("12 clips, 24 edits (24 new, 2 failed)")
    assert lines[2].endswith("12 clips (nothing new)")
    edits = [row for row in rows if row["level"] == "edit"]
    ok, rejected, failed = (
        sum(row["status"] == status for row in edits) for status in ("ok", "rejected", "failed")
    )
    assert lines[3] == (
        f"  {ok} of {len(edits)} edits ok ({100 * ok / len(edits):.0f} %), "
        f"{rejected} rejected, {failed} failed"
    )
    text = re.sub(r"\s+", " ", " ".join(lines))
    said = [row.get("error_message", "") for row in rows]
    under = sum("clip_similarity" in message for message in said)
    several = sum(";" in message for message in said)
    assert f" {under} clip_similarity under 0.28" in text
    assert f" ({several} edits by several bounds)" in text
    assert f" failed {failed} OutOfMemory ok " in text
    assert f" no edit {len(rows) - len(edits)} DecodeFailed " in text
    given = [row for row in edits if row["target_kind"] is None]
    given_ok = sum(row["status"] == "ok" for row in given)
    assert f"{given_ok} of {len(given)} given" in text
    assert lines[-2:] == [
        "  dataset: runs/first/dataset",
        "  report:  runs/first/report/index.html",
    ]


def test_only_the_most_frequent_reasons_are_listed(capsys, monkeypatch):
    failed = {"level": "edit", "status": "failed", "error_stage": "edit"}
    rows = [
        failed | {"row_id": f"{n}-{m}", "error_type": f"Reason{n}"}
        for n in range(1, 8)
        for m in range(n)
    ]
    text = "\n".join(printed(capsys, monkeypatch, outcomes(rows)))
    assert "0 of 28 edits ok (0 %), 0 rejected, 28 failed" in text
    assert re.search(r"failed +7 Reason7, 6 Reason6, 5 Reason5, 4 Reason4, 3 others", text)
    assert "rejected  " not in text


@pytest.mark.parametrize("found", [None, outcomes([])], ids=["not published", "no rows"])
def test_an_output_without_edits_has_a_summary(capsys, monkeypatch, found):
    lines = printed(capsys, monkeypatch, found)
    if found is None:
        assert lines[3:] == ["  output:  runs/first"]
    else:
        assert lines[3] == f"  {headline(found)}" == "  0 of 0 edits ok (0 %), 0 rejected, 0 failed"
