import numpy as np
import pyarrow as pa
import pytest

from pipelines.publishing.report.edits import EditSample
from pipelines.schema import STATUSES


def table(values, status="ok"):
    size = len(values)
    columns = {"level": ["edit"] * size, "status": [status] * size, "error_type": [None] * size}
    return pa.table(columns | {"metric_a": pa.array(values, pa.float64())})


def hashes(size, seed=0):
    return np.random.default_rng(seed).integers(0, 2**64, size, np.uint64)


def test_all_values_are_kept_exactly_up_to_the_maximum():
    values = [0.1, 1 / 3, None, float("nan"), -1e-300]
    sample = EditSample(["metric_a"], most=5)
    sample.add(table(values), hashes(5))
    expected = [0.1, 1 / 3, None, None, -1e-300]
    assert sample.as_json() == {"count": 5, "kept": 5, "values": [expected]}


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinite_values_stay_outside_every_bound(value):
    sample = EditSample(["metric_a"])
    sample.add(table([value]), hashes(1))
    ((kept,),) = sample.as_json()["values"]
    assert np.isfinite(kept) and abs(kept) > 1e300 and np.sign(kept) == np.sign(value)


@pytest.mark.parametrize("status", STATUSES[1:])
def test_edits_that_no_bound_decides_are_left_out(status):
    sample = EditSample(["metric_a"])
    sample.add(table([1.0, 2.0], status), hashes(2))
    assert sample.as_json() == {"count": 0, "kept": 0, "values": [[]]}


def test_the_sample_is_even_and_does_not_depend_on_the_order():
    values, keys = np.arange(5000.0), hashes(5000)
    kept = []
    for order in (np.arange(5000), np.random.default_rng(1).permutation(5000)):
        sample = EditSample(["metric_a"], most=1000)
        for part in np.array_split(order, 7):
            sample.add(table(values[part]), keys[part])
        found = sample.as_json()
        assert (found["count"], found["kept"]) == (5000, 1000)
        kept.append(sorted(found["values"][0]))
    assert kept[0] == kept[1]
    # The mean of 1,000 of 5,000 numbers has a standard error of 41.
    assert abs(np.mean(kept[0]) - 2499.5) < 150
