"""The job behind `strmatch bench`: the editor compared with a literal Algorithm 1."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from jobs.benchmark.arithmetic import count_operations, matrix_rate
from jobs.benchmark.forms import EXACT
from jobs.benchmark.joint_models import SIZES, project, projected_table
from jobs.benchmark.measure import PARTS, measure_memory, measure_seconds
from jobs.benchmark.models import FULL_SIZE, MODELS, Model
from jobs.benchmark.regions import measure_regions
from pipelines.errors import RunError

console = Console()


def bench(
    models: Sequence[str],
    steps: int | None,
    targets: Sequence[int],
    repeats: int,
    threads: int | None,
    json_file: Path | None,
) -> dict[str, Any]:
    """Measure every model, print a table of each, and write JSON_FILE after each.

    Args:
        models: names of `MODELS`, or of `SIZES`, whose edits are projected.
        steps: denoising steps of every edit. None: the default of each model.
        targets: numbers of target prompts per inversion to compare.
        repeats: number of runs of which medians are taken.
        threads: CPU threads. None: one per core.

    Raises:
        RunError: a model is unknown, or needs a GPU where there is none.
    """
    unknown = set(models) - {*MODELS, *SIZES}
    if unknown:
        known = ", ".join((*MODELS, *SIZES))
        raise RunError(f"no model {sorted(unknown)} to bench: there are {known}")
    full = [name for name in models if name in FULL_SIZE]
    if full and not torch.cuda.is_available():
        raise RunError(f"{full[0]} takes hours without a GPU: bench lavie-narrow instead")
    torch.set_num_threads(threads or os.cpu_count() or 1)
    machine = _machine()
    results: dict[str, Any] = {"machine": machine, "models": {}}
    for name in models:
        if name in SIZES:
            measured = project(SIZES[name])
            table = projected_table(name, measured)
        else:
            model = MODELS[name]()
            measured = measure(model, steps or model.steps, targets, repeats, machine["bf16_rate"])
            table = _table(name, measured)
        results["models"][name] = measured
        console.print(table, "")
        if json_file:
            json_file.write_text(json.dumps(results, indent=2) + "\n", "utf-8")
    return results


def measure(
    model: Model, steps: int, targets: Sequence[int], repeats: int, bf16_rate: float | None = None
) -> dict[str, Any]:
    """Returns all figures of one model. On a GPU, the compiled form is included.

    Args:
        bf16_rate: rate of the GPU's matrix products, in operations a second. None: no GPU.
    """
    settings = replace(model.backbone.settings, num_inference_steps=steps)
    # Ratios are relative to one target.
    targets = sorted({1, *targets})
    forms = dict.fromkeys((*EXACT, "compiled") if bf16_rate else EXACT, settings)
    if model.fast:
        share = model.fast.num_inference_steps / model.backbone.settings.num_inference_steps
        forms["fast"] = replace(model.fast, num_inference_steps=max(1, round(share * steps)))
    seconds, latents = measure_seconds(model, forms, targets, repeats)
    memory = {name: measure_memory(model, name, settings) for name in forms}
    ours, plain = seconds["ours"], seconds["as_written"]
    edit = ours["seconds"] - ours["inversion"]
    figures = {
        "steps": steps,
        "seconds_ratio": ours["seconds"] / plain["seconds"],
        "cpu_seconds_ratio": ours["cpu_seconds"] / plain["cpu_seconds"],
        "memory_ratio": memory["ours"] / memory["as_written"],
        "lean_seconds_ratio": seconds["lean"]["seconds"] / plain["seconds"],
        "lean_memory_ratio": memory["lean"] / memory["as_written"],
        "max_relative_difference": max(
            float((latents[name] - latents["as_written"]).abs().max())
            / float(latents["as_written"].abs().max())
            for name in EXACT
        ),
        "targets_ratio": {
            count: each / ours["seconds"] for count, each in ours["seconds_by_targets"].items()
        },
        "targets_bound": {
            str(count): 1.1 * (ours["inversion"] + count * edit) / ours["seconds"]
            for count in targets
        },
        "two_regions_ratio": measure_regions(model, settings, repeats),
        "forms": {name: seconds[name] | {"peak_bytes": memory[name]} for name in forms},
    }
    if bf16_rate:
        operations = count_operations(model, settings)
        figures |= {
            "compiled_seconds_ratio": seconds["compiled"]["seconds"] / plain["seconds"],
            "compiled_memory_ratio": memory["compiled"] / memory["as_written"],
            "operations": operations,
            "bf16_share": {
                name: operations / seconds[name]["seconds"] / bf16_rate
                for name in ("ours", "compiled")
            },
        }
    if "fast" in forms:
        figures["fast_seconds_ratio"] = seconds["fast"]["seconds"] / plain["seconds"]
    return figures


def _machine() -> dict[str, Any]:
    has_gpu = torch.cuda.is_available()
    return {
        "gpu": torch.cuda.get_device_name() if has_gpu else None,
        "bf16_rate": matrix_rate() if has_gpu else None,
        "cpu": platform.machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


def _table(name: str, measured: dict[str, Any]) -> Table:
    """Returns a table with a row per form: seconds of parts and whole, and peak memory."""
    columns = (*PARTS, "seconds", "×", "peak MB", "×")
    table = Table(name, *columns, box=None, padding=(0, 2))
    plain = measured["forms"]["as_written"]
    for form, of in measured["forms"].items():
        table.add_row(
            form.replace("_", " "),
            *(f"{of[part]:.2f}" for part in (*PARTS, "seconds")),
            f"{of['seconds'] / plain['seconds']:.2f}",
            f"{of['peak_bytes'] / 1e6:.0f}",
            f"{of['peak_bytes'] / plain['peak_bytes']:.2f}",
        )
    table.caption = "; ".join(
        [f"{measured['steps']} steps an edit"]
        + [f"largest relative difference {measured['max_relative_difference']:.0e}"]
        + [f"{k} targets × {ratio:.2f}" for k, ratio in measured["targets_ratio"].items()]
        + [f"2 regions × {measured['two_regions_ratio']['cpu_seconds']:.2f} without the inversion"]
        + [
            f"{form}: {x:.0%} of the bf16 rate"
            for form, x in measured.get("bf16_share", {}).items()
        ]
    )
    return table
