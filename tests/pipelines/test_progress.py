import pytest

from pipelines.progress import EditorUtilisation


def test_the_share_is_work_over_the_editors_time():
    busy = EditorUtilisation()
    for began, ended in ((10.0, 14.0), (10.0, 12.0), (13.0, 15.0)):
        busy.add({"began": began, "ended": ended})
    busy.add({"began": None, "ended": None})  # given up
    assert busy.fraction(2) == pytest.approx(8 / (2 * 5))


def test_nothing_done_is_not_busy():
    assert EditorUtilisation().fraction(3) == 0.0
