"""The training loop of all phases, with averaged weights and resumable checkpoints."""

import hashlib
import json
import math
import re
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from jobs.training.muon import Muon
from jobs.training.recipe import Phase
from jobs.training.workers import Worker

CHECKPOINT_EVERY = 60.0  # seconds
REPORT_EVERY = 50  # steps
WEIGHT_DECAY = 1e-3

# Embeddings, and the input and output layers of a network: trained by AdamW.
_OUTER = re.compile(
    r"(token|position)_embedding|relative_attention_bias|conv_in|conv_out"
    r"|(iou|mask|obj_score)_tokens?|(point|no_mask|pos)_embed|patch_embed\.|no_(memory|object)_"
    r"|(memory_temporal|no_memory)_positional_encoding|occlusion"
    r"|^transformer\.(patch_embedding|proj_out)|scale_shift_table"
)

Loss = Callable[[int, torch.Generator], Tensor]
"""Computes the loss of a step. The batch is drawn with the generator."""


def fit(
    name: str,
    model: nn.Module,
    make_loss: Callable[[], Loss],
    phase: Phase,
    worker: Worker,
    folder: Path,
    seed: int,
    report: Callable[[str], None] = print,
) -> None:
    """Train the parameters of `model` that require gradients, and set them to their averages.

    `folder`/checkpoint.pt is rewritten every minute. A killed run resumes from the checkpoint with
    the same batches, so that its loss curve, `folder`/loss.jsonl, is the same.

    Args:
        make_loss: builds the loss. Called only if steps are left.

    Raises:
        ValueError: the folder holds another phase's checkpoint, or the loss is not finite.
    """
    parameters = {key: p for key, p in model.named_parameters() if p.requires_grad}
    average = {key: p.detach().clone() for key, p in parameters.items()}
    optimizers = make_optimizers(parameters, phase, worker)
    start = _resume(folder, phase, parameters, average, optimizers)
    if worker.leads:
        _truncate(folder / "loss.jsonl", start)
    if start < phase.steps:
        loss = make_loss()
    saved = lap = time.monotonic()
    losses: list[float] = []
    for step in range(start, phase.steps):
        rate = learning_rate(phase, step)
        for group in (group for optimizer in optimizers for group in optimizer.param_groups):
            group["lr"] = rate
        value = loss(step, step_generator(seed, name, step, worker.index))
        value.backward()
        worker.average(p.grad for p in parameters.values() if p.grad is not None)
        nn.utils.clip_grad_norm_(parameters.values(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        decay = min(phase.ema, (1 + step) / (10 + step))
        torch._foreach_lerp_(
            list(average.values()), [p.detach() for p in parameters.values()], 1 - decay
        )
        losses.append(float(value.detach()))
        if not math.isfinite(losses[-1]):
            raise ValueError(f"{name}: the loss of step {step} is {losses[-1]}")
        done = step + 1
        if not worker.leads or (done % REPORT_EVERY and done < phase.steps):
            continue
        now = time.monotonic()
        row = {"step": done, "loss": sum(losses) / len(losses), "seconds": now - lap}
        _append(folder / "loss.jsonl", row)
        pace = row["seconds"] / len(losses)
        report(
            f"{name}: step {done}/{phase.steps}, loss {row['loss']:.4f}, {pace:.2f} s a step, "
            f"{(phase.steps - done) * pace / 60:.0f} min left"
        )
        losses, lap = [], now
        if now - saved > CHECKPOINT_EVERY or done == phase.steps:
            _save(folder, phase, done, parameters, average, optimizers)
            saved = now
    with torch.no_grad():
        for key, parameter in parameters.items():
            parameter.copy_(average[key])
    worker.wait()


def make_optimizers(
    parameters: dict[str, nn.Parameter], phase: Phase, worker: Worker
) -> list[torch.optim.Optimizer]:
    """Returns AdamW for all parameters, or Muon for inner matrices and AdamW for the rest."""
    inner = {
        key: p
        for key, p in parameters.items()
        if phase.optimizer == "muon" and p.ndim > 1 and not _OUTER.search(key)
    }
    outer = [p for key, p in parameters.items() if key not in inner]
    lr, decay = phase.learning_rate, WEIGHT_DECAY
    optimizers: list[torch.optim.Optimizer] = []
    if outer:
        optimizers.append(torch.optim.AdamW(outer, lr, betas=(0.9, 0.99), weight_decay=decay))
    if inner:
        optimizers.append(Muon(inner.values(), lr, decay, worker))
    return optimizers


def learning_rate(phase: Phase, step: int) -> float:
    """Returns the rate of a step: linear warm-up, then half a cosine down to the final rate."""
    if step < phase.warmup:
        return phase.learning_rate * (step + 1) / phase.warmup
    progress = (step - phase.warmup) / max(phase.steps - phase.warmup, 1)
    share = (1 + math.cos(math.pi * progress)) / 2
    return phase.final_learning_rate + share * (phase.learning_rate - phase.final_learning_rate)


def step_generator(seed: int, name: str, step: int, worker: int = 0) -> torch.Generator:
    """Returns a generator seeded by the arguments alone, so that steps are repeatable."""
    digest = hashlib.sha256(f"{seed}/{name}/{step}/{worker}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


def _resume(
    folder: Path,
    phase: Phase,
    parameters: dict[str, nn.Parameter],
    average: dict[str, Tensor],
    optimizers: list[torch.optim.Optimizer],
) -> int:
    path = folder / "checkpoint.pt"
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    if state["phase"] != phase.model_dump():
        raise ValueError(f"{path} was made with other settings: choose another folder")
    for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
        optimizer.load_state_dict(saved)
    with torch.no_grad():
        for key, parameter in parameters.items():
            parameter.copy_(state["parameters"][key])
            average[key].copy_(state["average"][key])
    return state["step"]


def _save(
    folder: Path,
    phase: Phase,
    step: int,
    parameters: dict[str, nn.Parameter],
    average: dict[str, Tensor],
    optimizers: list[torch.optim.Optimizer],
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    state = {
        "step": step,
        "phase": phase.model_dump(),
        "parameters": {key: p.detach() for key, p in parameters.items()},
        "average": average,
        "optimizers": [optimizer.state_dict() for optimizer in optimizers],
    }
    partial = folder / "checkpoint.pt.partial"
    torch.save(state, partial)
    partial.replace(folder / "checkpoint.pt")


def _append(path: Path, row: dict[str, float]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def _truncate(path: Path, step: int) -> None:
    """Drop the rows that a killed run logged after its last checkpoint."""
    if path.exists():
        lines = path.read_text("utf-8").splitlines()
        kept = [line for line in lines if json.loads(line)["step"] <= step]
        path.write_text("".join(line + "\n" for line in kept), "utf-8")
