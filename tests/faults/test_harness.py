"""A short run under fire; `make faults` has the long one."""

import pytest

from tests.faults.harness import inject


@pytest.mark.timeout(900)
def test_five_faults_change_nothing():
    report = inject(faults=5, seed=1)
    assert report["injected"] == 5
    assert (report["lost"], report["doubled"], report["identical"]) == (0, 0, True)
