from types import SimpleNamespace

import numpy as np
import pytest

from jobs.benchmark import regions as bench
from jobs.benchmark.models import Model
from strmatch import STRMatch
from tests.strmatch.tiny import SIZE, tiny_backbone


def test_ratios_are_those_of_the_medians_of_two_regions_and_one(monkeypatch):
    """With clocks of which an edit of two regions takes 3 and 5 seconds, and one region 2."""
    wall, cpu = [0.0], [0.0]
    slow = iter((1, 1, 40))

    def edit(self, inversion, regions):
        assert len(regions) == 1 or not (regions[0].mask & regions[1].mask).any()
        disturbed = next(slow, 1) if len(regions) == 2 else 1
        wall[0] += disturbed * (3 if len(regions) == 2 else 2)
        cpu[0] += 5 if len(regions) == 2 else 2

    monkeypatch.setattr(STRMatch, "edit", edit)
    monkeypatch.setattr(bench, "now", lambda: wall[0])
    monkeypatch.setattr(bench, "time", SimpleNamespace(process_time=lambda: cpu[0]))
    backbone = tiny_backbone()
    model = Model(backbone, np.zeros((2, SIZE, SIZE, 3), np.uint8), steps=1)
    ratios = bench.measure_regions(model, backbone.settings, repeats=3)
    assert ratios == {"seconds": pytest.approx(1.5), "cpu_seconds": pytest.approx(2.5)}
