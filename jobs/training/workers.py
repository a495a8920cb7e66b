"""Data parallelism by one single-threaded process per core, the fastest for small networks."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor


@dataclass(frozen=True)
class Worker:
    """One of `count` processes that hold the same weights and draw different batches."""

    index: int = 0
    count: int = 1
    device: str = "cpu"

    @property
    def leads(self) -> bool:
        """Whether this worker writes the files and the reports."""
        return self.index == 0

    def average(self, tensors: Iterable[Tensor]) -> None:
        """Replace each tensor by its mean over all workers."""
        if self.count == 1:
            return
        tensors = list(tensors)
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        dist.all_reduce(flat)
        means = (flat / self.count).split([tensor.numel() for tensor in tensors])
        for tensor, mean in zip(tensors, means, strict=True):
            tensor.copy_(mean.view(tensor.shape))

    def wait(self) -> None:
        """Block until all workers have reached this call."""
        if self.count > 1:
            dist.barrier()


def run_workers(count: int, job: Callable[..., None], *arguments: Any) -> None:
    """Call job(worker, *arguments) in `count` processes. On a GPU: in this process alone."""
    if torch.cuda.is_available():
        job(Worker(device="cuda"), *arguments)
    elif count == 1:
        job(Worker(), *arguments)
    else:
        with TemporaryDirectory() as folder:
            mp.spawn(_join, (count, Path(folder) / "rendezvous", job, arguments), nprocs=count)


def _join(
    index: int, count: int, rendezvous: Path, job: Callable[..., None], arguments: tuple[Any, ...]
) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=rendezvous.as_uri(), rank=index, world_size=count)
    try:
        job(Worker(index, count), *arguments)
    finally:
        dist.destroy_process_group()


def _end_with_parent() -> None:
    """Exit with the parent. Workers of a killed parent would keep writing to its folder."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
