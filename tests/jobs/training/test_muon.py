import pytest
import torch
from torch import nn

from jobs.training.muon import Muon, orthogonalise
from jobs.training.workers import Worker, run_workers

SHAPES = ((8, 4, 3, 3), (6, 6), (6, 6), (12, 5), (6, 6))


@pytest.mark.parametrize("shape", [(96, 864), (384, 96), (64, 96)])
def test_singular_values_come_close_to_one_and_directions_stay(shape):
    torch.manual_seed(0)
    matrix = torch.randn(shape)
    u, _, vh = torch.linalg.svd(matrix, full_matrices=False)
    ours = orthogonalise(matrix[None])[0]
    values = torch.linalg.svdvals(ours)
    assert values.min() > 0.5 and values.max() < 1.3
    # (u vh is the nearest orthogonal matrix)
    assert torch.cosine_similarity(ours.flatten(), (u @ vh).flatten(), dim=0) > 0.97


def parameters():
    generator = torch.Generator().manual_seed(0)
    made = [nn.Parameter(torch.randn(shape, generator=generator)) for shape in SHAPES]
    for parameter in made:
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    return made


def step(worker, path=None):
    made = parameters()
    optimizer = Muon(made, lr=0.1, weight_decay=0.01, worker=worker)
    optimizer.step()
    optimizer.step()
    if path:
        torch.save(made, path / f"{worker.index}.pt")
    return made


def test_a_step_is_as_large_as_adamws():
    before, after = parameters(), step(Worker())
    for old, new in zip(before, after, strict=True):
        moved = (new - old).square().mean().sqrt() / 2
        assert 0.1 * 0.1 < moved < 0.1 * 0.4


@pytest.mark.slow
def test_workers_that_divide_the_products_reach_equal_weights(tmp_path):
    run_workers(2, step, tmp_path)
    alone = step(Worker())
    for index in (0, 1):
        shared = torch.load(tmp_path / f"{index}.pt", weights_only=False)
        for ours, theirs in zip(shared, alone, strict=True):
            torch.testing.assert_close(ours, theirs)


def test_parameters_without_a_gradient_stay():
    made = parameters()
    made[1].grad = None
    before = made[1].detach().clone()
    Muon(made, lr=0.1, weight_decay=0.01, worker=Worker()).step()
    assert torch.equal(made[1], before)
