import torch

from jobs.training.workers import Worker, run_workers


def average_and_write(worker, folder):
    mine = [torch.full((2, 3), float(worker.index)).T, torch.tensor([worker.index * 10.0])]
    worker.average(mine)
    worker.wait()
    torch.save(mine, folder / f"{worker.index}.pt")


def test_workers_average_over_all_of_them(tmp_path):
    run_workers(2, average_and_write, tmp_path)
    for index in range(2):
        matrix, scalar = torch.load(tmp_path / f"{index}.pt", weights_only=True)
        assert torch.equal(matrix, torch.full((3, 2), 0.5))
        assert torch.equal(scalar, torch.tensor([5.0]))


def test_one_worker_runs_in_this_process_and_averages_nothing():
    seen = []
    run_workers(1, lambda worker, word: seen.append((worker, word)), "word")
    ((worker, word),) = seen
    tensor = torch.ones(2)
    worker.average([tensor])
    assert word == "word" and worker.leads and torch.equal(tensor, torch.ones(2))
    assert Worker(1, 2).leads is False
