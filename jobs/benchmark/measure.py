"""Seconds of an edit and its parts, and its peak memory, form by form in one process."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from statistics import median
from typing import Any

import torch
from torch import Tensor

from jobs.benchmark.forms import make_form
from jobs.benchmark.memory import peak_bytes
from jobs.benchmark.models import SOURCE, TARGETS, Model
from strmatch.settings import EditSettings

PARTS = ("inversion", "score pass", "denoise", "decode")
TOTALS = ("seconds", "cpu_seconds")
"""Wall time, and CPU time, which is the more reliable on a shared machine."""


class Seconds:
    """Accumulates the durations of calls by name, synchronised with the GPU."""

    def __init__(self) -> None:
        self.taken: dict[str, float] = defaultdict(float)

    def time(self, name: str, work: Callable[..., Any], *arguments: Any) -> Any:
        began = now()
        result = work(*arguments)
        self.taken[name] += now() - began
        return result

    @contextmanager
    def watching(self, name: str, owner: Any, method: str) -> Iterator[None]:
        """Times all calls of an object's method."""
        original = getattr(owner, method)
        setattr(owner, method, lambda *arguments: self.time(name, original, *arguments))
        try:
            yield
        finally:
            delattr(owner, method)


def now() -> float:
    """Returns the clock's seconds after synchronising with the GPU."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def measure_seconds(
    model: Model, forms: Mapping[str, EditSettings], targets: Sequence[int], repeats: int
) -> tuple[dict[str, dict[str, Any]], dict[str, Tensor]]:
    """Run the forms in turn, `repeats` times.

    Args:
        forms: names (see `make_form`) with settings. Every form edits one target, "ours" as many
            as the largest of `targets`.

    Returns:
        By form the medians: the parts, `TOTALS` of one edit with its inversion, and
        "seconds_by_targets"; and by form the latents of the first target.
    """
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in forms}
    latents = {}
    _warm_up(model, forms)
    for _ in range(repeats):
        for name, settings in forms.items():
            count = max(targets) if name == "ours" else 1
            measured, latents[name] = _run(model, name, settings, count)
            runs[name].append(measured)
    return {name: _medians(of, targets) for name, of in runs.items()}, latents


def _warm_up(model: Model, forms: Mapping[str, EditSettings]) -> None:
    """Exclude PyTorch's one-time initialisation from the first measurement."""
    latents = model.backbone.encode(model.frames)
    with torch.no_grad():
        model.backbone.predict(latents, 500, model.backbone.embed(SOURCE))
    model.backbone.decode(latents)
    if "compiled" in forms:  # two steps have every kind of pass
        _run(model, "compiled", replace(forms["compiled"], num_inference_steps=2), 1)


def _medians(runs: list[dict[str, Any]], targets: Sequence[int]) -> dict[str, Any]:
    after = [run["after"] for run in runs]
    counts = [count for count in targets if count <= len(after[0])]
    return {name: median(run[name] for run in runs) for name in (*PARTS, *TOTALS)} | {
        "seconds_by_targets": {str(k): median(each[k - 1] for each in after) for k in counts}
    }


def _run(
    model: Model, name: str, settings: EditSettings, count: int
) -> tuple[dict[str, Any], Tensor]:
    """Inverts and edits `count` targets. Parts and totals are those of the first target."""
    form, clock = make_form(name, model, settings), Seconds()
    cpu = time.process_time()
    inversion = clock.time("inversion", form.invert)
    with (
        clock.watching("denoise", *form.denoising),
        clock.watching("decode", form.backbone, "decode"),
    ):
        first = clock.time("edit", form.edit, inversion, TARGETS[0])
        cpu = time.process_time() - cpu
        parts = dict(clock.taken)
        after = [parts["inversion"] + parts["edit"]]
        for target in TARGETS[1:count]:
            clock.time("edit", form.edit, inversion, target)
            after.append(clock.taken["inversion"] + clock.taken["edit"])
    parts["score pass"] = parts.pop("edit") - parts["denoise"] - parts["decode"]
    return parts | {"seconds": after[0], "cpu_seconds": cpu, "after": after}, first


def measure_memory(model: Model, form_name: str, settings: EditSettings) -> int:
    """Measures the peak bytes of tensors in an edit of one step, without the loaded model.

    Further steps add their latents, and Ω_src where it is kept.
    """
    form = make_form(form_name, model, replace(settings, num_inference_steps=1))

    def edit() -> None:
        form.edit(form.invert(), TARGETS[0])

    if not torch.cuda.is_available():
        return peak_bytes(edit)
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    edit()
    return torch.cuda.max_memory_allocated() - before
