import multiprocessing
import os
import signal
import time

import pytest
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


def note_and_sleep(worker, folder):
    (folder / str(worker.index)).write_text(str(os.getpid()))
    time.sleep(60)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
def test_workers_end_when_their_parent_is_killed(tmp_path):
    parent = multiprocessing.get_context("spawn").Process(
        target=run_workers, args=(2, note_and_sleep, tmp_path)
    )
    parent.start()
    notes = [tmp_path / str(index) for index in range(2)]
    wait_until(lambda: all(note.exists() and note.read_text() for note in notes))
    pids = [int(note.read_text()) for note in notes]
    os.kill(parent.pid, signal.SIGKILL)
    parent.join()
    wait_until(lambda: not any(map(alive, pids)))


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
