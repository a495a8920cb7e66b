import tracemalloc
from collections import Counter

import numpy as np
import pytest

from pipelines.publishing.report.survey import survey
from tests.pipelines.publishing.report.runs import mixed_rows, publish, row_id


def bare(number, status="ok"):
    return {"row_id": row_id(number), "level": "edit", "status": status, "seconds": 1.0}


def listed(output, rows, **options):
    """The row ids that are listed, with and without clips."""
    order = iter(rows)
    names = {
        name: [next(order)["row_id"] for _ in range(output.read_table(name, ["row_id"]).num_rows)]
        for name in output.find("dataset", ".parquet")
    }
    found = survey(output, **options).listed
    chosen = {(names[f][p], clips) for f, places in found.items() for p, clips in places.items()}
    return {name for name, clips in chosen if clips}, {name for name, clips in chosen if not clips}


def test_counts_and_distributions_cover_all_rows(tmp_path):
    rows = mixed_rows(200)
    found = survey(publish(tmp_path, rows), seed=0, sample=3, most=5)
    assert found.facts["rows"] == 200
    assert found.facts["statuses"] == {"ok": 160, "rejected": 20, "failed": 20}
    kinds = Counter(row["target_kind"] for row in rows if row.get("target_kind"))
    assert found.facts["kinds"] == kinds
    assert found.facts["reasons"] == [
        ["rejected", "measure", "ClipSimilarityTooLow", 20],
        ["failed", "edit", "OutOfMemory", 10],
        ["failed", "annotate", "DecodeFailed", 10],
    ]
    assert found.numbers[-1] == "seconds" and len(found.numbers) == 5
    masked = [row.get("metric_background_difference") for row in rows]
    masked = [value for value in masked if value is not None]
    background = found.facts["distributions"][2]
    assert background["name"] == "background_difference"
    assert background["count"] == len(masked) == sum(background["bins"])
    assert background["low"] == pytest.approx(min(masked))
    assert background["high"] == pytest.approx(max(masked))
    assert background["median"] == pytest.approx(np.median(masked))


def test_a_dataset_without_metrics_has_only_a_distribution_of_seconds(tmp_path):
    found = survey(publish(tmp_path, [bare(0)], metrics=(), files=1), seed=0, sample=3)
    assert found.numbers == ["seconds"]
    assert found.facts["distributions"][0]["count"] == 1


def test_distributions_exclude_infinite_and_missing_numbers(tmp_path):
    values = [1.0, float("inf"), float("nan"), None, 3.0]
    rows = [bare(n) | {"metric_speed": value} for n, value in enumerate(values)]
    speed, _ = survey(publish(tmp_path, rows, metrics=["speed"]), 0, 5).facts["distributions"]
    assert (speed["count"], speed["low"], speed["high"], speed["median"]) == (2, 1.0, 3.0, 2.0)


@pytest.mark.parametrize("value", [0.0, 0.3, -1e20])
def test_equal_numbers_share_one_bin(tmp_path, value):
    rows = [bare(n) | {"metric_speed": np.nextafter(value, n)} for n in range(4)]
    speed, _ = survey(publish(tmp_path, rows, metrics=["speed"]), 0, 5).facts["distributions"]
    assert sorted(speed["bins"])[-2:] in ([0, 4], [2, 2], [1, 3])
    assert speed["low"] < value < speed["high"]


def test_the_sample_depends_on_the_seed_and_not_on_the_order_of_rows(tmp_path):
    rows = [bare(number) for number in range(300)]
    shuffled = [rows[place] for place in np.random.default_rng(0).permutation(300)]
    one, rest = listed(publish(tmp_path / "one", rows), rows, seed=4, sample=40, most=0)
    again, _ = listed(
        publish(tmp_path / "again", shuffled, files=7), shuffled, seed=4, sample=40, most=0
    )
    other, _ = listed(publish(tmp_path / "other", rows), rows, seed=5, sample=40, most=0)
    assert len(one) == 40 and not rest
    assert again == one
    assert len(other) == 40 and other != one
    # All rows are equally likely: of 40 sampled from 300, about 20 come from each half.
    assert 10 < len(one & {row["row_id"] for row in rows[:150]}) < 30


def test_failures_are_listed_first_then_rejected_rows_then_other_edits(tmp_path):
    statuses = ["ok"] * 60 + ["rejected"] * 10 + ["failed"] * 20
    rows = [bare(number, status) for number, status in enumerate(statuses)]
    output = publish(tmp_path, rows)
    ids = [row["row_id"] for row in rows]
    failed, not_ok = set(ids[70:]), set(ids[60:])

    shown, others = listed(output, rows, seed=0, sample=5, most=1000)
    assert shown >= not_ok and len(shown) == 35
    assert shown | others == set(ids) and not shown & others
    shown, others = listed(output, rows, seed=0, sample=5, most=40)
    assert shown >= not_ok and len(shown) == 35 and len(others) == 10
    shown, others = listed(output, rows, seed=0, sample=5, most=25)
    assert shown >= failed and len(shown & not_ok) == 25 and len(shown) == 30 and not others
    shown, others = listed(output, rows, seed=0, sample=0, most=15)
    assert shown < failed and len(shown) == 15 and not others


def test_memory_stays_small_for_many_rows(tmp_path):
    rows = [bare(number) | {"source_video": bytes(2000)} for number in range(20_000)]
    output = publish(tmp_path, rows, metrics=(), files=20)
    survey(output, seed=0, sample=1, most=1)
    tracemalloc.start()
    survey(output, seed=0, sample=10, most=100)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # The limit covers the Python values of one file's thousand rows and one float per row.
    assert peak < 3_000_000
