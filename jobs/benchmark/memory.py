"""Peak memory of tensors on a CPU. PyTorch provides this statistic for GPUs only."""

import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def peak_bytes(work: Callable[[], object]) -> int:
    """Measures the peak bytes of tensors created by `work`, without scratch memory of kernels.

    PyTorch's profiler also records every allocation, but extends the lifetime of tensors.
    """
    with _Held() as held:
        work()
    return held.most


@contextmanager
def without_contents(dtype: torch.dtype) -> Iterator[None]:
    """Inside the block, tensors have shapes and no contents, and models are built in `dtype`."""
    default = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with FakeTensorMode(allow_non_fake_inputs=True):
            yield
    finally:
        torch.set_default_dtype(default)


class _Held(TorchDispatchMode):
    """Tracks storages created by operations until the storages are freed."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self.known: set[int] = set()

    def __torch_dispatch__(
        self,
        function: Any,
        types: Iterable[type],
        arguments: tuple[Any, ...] = (),
        options: Mapping[str, Any] | None = None,
    ) -> Any:
        for storage in _storages((arguments, options)):
            self._follow(storage, size=0)  # created before this mode was entered
        result = function(*arguments, **(options or {}))
        for storage in _storages(result):
            self._follow(storage, storage.nbytes())
        self.most = max(self.most, self.now)
        return result

    def _follow(self, storage: torch.UntypedStorage, size: int) -> None:
        if storage._cdata not in self.known:
            self.known.add(storage._cdata)
            self.now += size
            weakref.finalize(storage, self._forget, storage._cdata, size)

    def _forget(self, name: int, size: int) -> None:
        self.known.remove(name)
        self.now -= size


def _storages(values: Any) -> list[torch.UntypedStorage]:
    return [value.untyped_storage() for value in tree_leaves(values) if isinstance(value, Tensor)]
