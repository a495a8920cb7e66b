import logging

import pytest

from pipelines.progress import EditorUtilisation, progress


def test_utilisation_is_editing_time_over_the_available_editor_time():
    busy = EditorUtilisation()
    for began, ended in ((10.0, 14.0), (10.0, 12.0), (13.0, 15.0)):
        busy.add({"began": began, "ended": ended})
    busy.add({"began": None, "ended": None})  # an edit without times
    assert busy.fraction(2) == pytest.approx(8 / (2 * 5))


def test_utilisation_without_edits_is_zero():
    assert EditorUtilisation().fraction(3) == 0.0


@pytest.mark.parametrize(
    ("rows", "total", "unit", "said"),
    [
        ([], 0, None, "edit: nothing left to do"),
        ([{"clips": 2}, {"clips": 1}], 2, None, "edit: 2 done"),
        ([{"clips": 2}, {"clips": 1}], None, "clips", "edit: 3 done"),
    ],
)
def test_rows_pass_unchanged_and_the_log_ends_with_their_number(rows, total, unit, said, caplog):
    with caplog.at_level(logging.INFO):
        assert list(progress(rows, "edit", total, unit)) == rows
    assert caplog.messages == [said]
