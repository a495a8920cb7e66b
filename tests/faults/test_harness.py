"""A short run with injected faults. `make faults` starts the long version."""

import pytest

from tests.faults.harness import inject


@pytest.mark.timeout(900)
def test_a_run_with_five_faults_gives_the_undisturbed_dataset():
    report = inject(faults=5, seed=1)
    assert report["injected"] == 5
    assert (report["lost"], report["doubled"], report["identical"]) == (0, 0, True)
