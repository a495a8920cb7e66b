import json

import pytest

from strmatch_airflow.dataset import is_complete, verify


def finish(folder, **counts):
    (folder / "run.json").write_text(json.dumps({"counts": counts}))
    (folder / "_SUCCESS").touch()


def test_the_counts_of_a_complete_run_add_up(tmp_path):
    assert not is_complete(tmp_path)
    with pytest.raises(ValueError, match="there is no _SUCCESS"):
        verify(tmp_path)
    finish(tmp_path, rows=6, ok=3, rejected=2, failed=1)
    assert is_complete(tmp_path)
    assert verify(tmp_path) == {"rows": 6, "ok": 3, "rejected": 2, "failed": 1}


@pytest.mark.parametrize("counts", [{}, {"rows": 6, "ok": 3, "rejected": 2, "failed": 0}])
def test_counts_that_do_not_add_up_are_refused(tmp_path, counts):
    finish(tmp_path, **counts)
    with pytest.raises(ValueError, match="do not add up"):
        verify(tmp_path)
