"""The suite's work without Ray, which `test_command` uses: the embedded model and few steps."""

import pytest

from jobs.evaluation.paper.methods import Attempt
from jobs.evaluation.paper.phase import ExamineCase, Part, done, results
from pipelines.reliability.deadline import Deadline
from pipelines.storage import Storage
from strmatch.backbones.folder import weights_folder
from strmatch.weights.manifest import weights_revision

REVISION = weights_revision(weights_folder("miniature"))
ATTEMPTS = (Attempt("plain", "lambda_0", 4.0), Attempt("matched", "str_match", 0.4))


def part(attempts=ATTEMPTS, **changes):
    given = {"split": "test", "seed": 3, "clips": 2, "attempts": attempts, "revision": REVISION}
    return Part(**given | {"steps": 2} | changes)


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    return Storage(str(tmp_path_factory.mktemp("paper")))


def run(asked, output):
    """Examine the cases without a result, as a worker of the phase does."""
    items = asked.items().to_pylist()
    pending = [item for item in items if not output.exists(f"results/{item['item']}.parquet")]
    examine = ExamineCase("miniature", 1, asked.steps, output, Deadline(300)) if pending else None
    return [examine(item) for item in pending]


@pytest.mark.slow
def test_cases_are_committed_singly_and_only_missing_ones_are_examined_again(output):
    asked = part()
    assert done(asked, output) == 0
    assert [row["ok"] for row in run(asked, output)] == [2, 2]
    first = results(asked, output)
    assert [(row["index"], row["attempt"]) for row in first] == [
        (0, "plain"),
        (0, "matched"),
        (1, "plain"),
        (1, "matched"),
    ]
    assert run(asked, output) == []

    names = output.files("results", ".parquet")
    output.remove(names[0])
    assert done(asked, output) == 1
    assert len(run(asked, output)) == 1
    again = results(asked, output)
    for before, after in zip(first, again, strict=True):
        assert before | {"seconds": 0} == after | {"seconds": 0}


def test_other_attempts_clips_or_weights_are_other_results(output):
    names = {
        name
        for changes in ({}, {"seed": 4}, {"revision": "other"}, {"steps": 3}, {"split": "dev"})
        for name in part(**changes).items()["item"].to_pylist()
    }
    names |= set(part(ATTEMPTS[:1]).items()["item"].to_pylist())
    assert len(names) == 12


@pytest.mark.slow
def test_a_failed_case_records_its_error(output):
    asked = part((Attempt("wrong", "sdedit", 5.0),), clips=1)
    (row,) = run(asked, output)
    assert row["failed"] == 1
    (result,) = results(asked, output)
    assert result["error_type"] == "ValueError" and "strength" in result["error_message"]
