"""The cause of errors that Ray Data raises, on a real local cluster."""

import json
import os
import re

import pytest
import ray
import ray.data

from pipelines.causes import at, cause, place
from pipelines.errors import RowError, RunError


class Work:
    """Raises in its construction, or with the row."""

    def __init__(self, built):
        if not built:
            raise OSError(28, "No space left on device")

    def __call__(self, row):
        if row["item"] == "die":
            os._exit(1)
        with at("edit", row["item"]):
            try:
                {}[row["item"]]
            except KeyError as error:
                raise ValueError("two lines\n  of a message") from error


def task(row):
    raise RowError("Own", "the message of a task")


def ended(function, **options):
    dataset = ray.data.from_items([{"item": options.pop("item", "r7")}]).map(function, **options)
    with pytest.raises(ray.exceptions.RayError) as raised:
        dataset.materialize()
    return cause(raised.value)


def test_the_cause_is_that_of_the_worker(ray_cluster):
    assert ended(task) == "Own: the message of a task"
    pool = {"concurrency": 1, "max_restarts": 0, "max_task_retries": 0}
    built, broken = {"fn_constructor_args": (True,)}, {"fn_constructor_args": (False,)}
    assert ended(Work, **pool, **broken) == "OSError: [Errno 28] No space left on device"
    told = ended(Work, **pool, **built)
    assert told == "edit of r7: ValueError: two lines of a message (KeyError: 'r7')"
    died = ended(Work, item="die", **pool, **built)
    assert "\n" not in died and "actor" in died.lower()


def test_an_error_has_a_place_in_this_package():
    with pytest.raises(RunError) as raised, at("planning", "a.parquet"):
        json.loads("{")
    assert re.fullmatch(r"pipelines/causes\.py:\d+", place(raised.value))
    with pytest.raises(ValueError) as raised:
        json.loads("{")
    assert re.fullmatch(r".*/json/decoder\.py:\d+", place(raised.value))


def test_other_errors_are_told_in_one_line():
    assert cause(RunError("no\n  space")) == "no space"
    assert cause(KeyError("a")) == "KeyError: 'a'"
    assert cause(ValueError()) == "ValueError"
    with (
        pytest.raises(RunError, match=r"^planning of a.parquet: ValueError: b$"),
        at("planning", "a.parquet"),
    ):
        raise ValueError("b")
