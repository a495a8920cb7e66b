"""A history of a manifest and one of commands; `tests.faults.histories` plays many."""

import pytest

from tests.faults.histories import of_commands, of_manifests

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("ray_cluster")]


def test_the_dataset_is_that_of_the_last_manifest_whatever_came_before(tmp_path):
    assert len(of_manifests(tmp_path / "history", seed=100, steps=2)) == 2


def test_commands_in_any_order_keep_rows_true_and_do_what_they_say(tmp_path):
    assert len(of_commands(tmp_path / "history", seed=100, steps=5)) == 6
