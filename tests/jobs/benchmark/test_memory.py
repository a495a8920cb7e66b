import pytest
import torch

from jobs.benchmark.memory import peak_bytes

MEGABYTE = 1 << 20


def test_the_peak_counts_what_is_held_at_once():
    def one_after_the_other():
        for _ in range(3):
            torch.zeros(MEGABYTE, dtype=torch.uint8)

    def together():
        held = [torch.zeros(MEGABYTE, dtype=torch.uint8) for _ in range(3)]
        held.clear()

    assert peak_bytes(one_after_the_other) == pytest.approx(MEGABYTE, rel=0.01)
    assert peak_bytes(together) == pytest.approx(3 * MEGABYTE, rel=0.01)


def test_what_lives_at_a_time_is_counted_once():
    older = torch.zeros(10_000)

    def work():
        first = torch.zeros(1000)  # 4,000 bytes
        view = first.view(10, 100).T
        second = older[:1000] + view.flatten()  # a copy and the sum: 12,000
        del first, view
        older.add_(1)
        torch.cat([second, second])  # 12,000 again

    assert peak_bytes(work) == 12_000


def test_what_a_gradient_needs_lives_until_it_is_there():
    weights = torch.randn(100, 100)

    def work(depth):
        x = torch.zeros(100, 100, requires_grad=True)
        y = x
        for _ in range(depth):
            y = torch.tanh(y @ weights)
        torch.autograd.grad(y.sum(), x)

    each = 4 * 100 * 100
    assert peak_bytes(lambda: work(20)) - peak_bytes(lambda: work(10)) == 10 * each
