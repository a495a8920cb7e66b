import pytest

from pipelines.progress import Busy


def test_the_share_is_work_over_the_editors_time():
    busy = Busy()
    for began, ended in ((10.0, 14.0), (10.0, 12.0), (13.0, 15.0)):
        busy.see({"began": began, "ended": ended})
    busy.see({"began": None, "ended": None})  # given up
    assert busy.share(2) == pytest.approx(8 / (2 * 5))


def test_nothing_done_is_not_busy():
    assert Busy().share(3) == 0.0
