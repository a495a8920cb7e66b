import pytest
import torch

from jobs.benchmark.measure import Seconds, _peak_on_cpu

MEGABYTE = 1 << 20


def test_the_peak_counts_what_is_held_at_once():
    def one_after_the_other():
        for _ in range(3):
            torch.zeros(MEGABYTE, dtype=torch.uint8)

    def together():
        held = [torch.zeros(MEGABYTE, dtype=torch.uint8) for _ in range(3)]
        held.clear()

    assert _peak_on_cpu(one_after_the_other) == pytest.approx(MEGABYTE, rel=0.01)
    assert _peak_on_cpu(together) == pytest.approx(3 * MEGABYTE, rel=0.01)


def test_a_watched_method_is_timed_and_left_as_it_was():
    class Adder:
        def add(self, a, b):
            return a + b

    clock, adder = Seconds(), Adder()
    with clock.watching("adding", adder, "add"):
        assert adder.add(1, 2) == 3
    assert clock.taken["adding"] > 0 and not vars(adder)
