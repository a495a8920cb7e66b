"""The job of `strmatch check`: whether this machine can do a run."""

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import psutil
import torch
from rich.console import Console
from rich.table import Table

from jobs.benchmark.models import SOURCE, TARGETS, Model, make_clip
from jobs.benchmark.projection import project
from pipelines import plugins
from pipelines.config.config import Config
from pipelines.editors.base import build_editor, editor_settings, uses_backbone
from pipelines.errors import RunError
from pipelines.media.encode import decode_video, encode_video
from pipelines.media.video.opening import open_video
from pipelines.runs.preflight import amount, fetch_models, gpu_memory, models
from strmatch.backbones.folder import weights_folder
from strmatch.backbones.joint.load import is_joint
from strmatch.backbones.load_folder import build_untrained
from strmatch.weights.locate import local_folder

STEPS = 2
"""Steps of the edit."""
LARGE = 10**9
"""Bytes of a backbone with which an edit takes hours on a CPU."""


@dataclass
class Result:
    """The outcome of one check."""

    what: str
    ok: bool
    text: str


def check(config: Config) -> None:
    """Print what was checked, each with ok or what to do.

    Models that are missing are fetched, as by a run.

    Raises:
        RunError: a check failed.
    """
    table = Table(show_header=False, box=None, padding=(0, 2))
    failed = []
    for result in _results(config):
        table.add_row(result.what, "ok" if result.ok else "failed", result.text)
        failed += [] if result.ok else [result.what]
    Console().print(table)
    if failed:
        raise RunError(f"check: {', '.join(failed)} failed")


def _results(config: Config) -> Iterator[Result]:
    yield _result("decoders", _check_decoders)
    settings = _result("plug-ins", lambda: _check_plugins(config))
    yield settings
    weights = _result("weights", lambda: _check_weights(config)) if settings.ok else None
    if weights is None:
        return
    yield weights
    if not weights.ok:
        needed = gpu_memory(config)
        if needed:
            yield Result("memory", _has_gpu(), _gpu() if _has_gpu() else f"no GPU; {needed}")
        yield Result("edit", False, "not tried without the weights")
        return
    memory = _result("memory", lambda: _check_memory(config))
    yield memory
    if memory.ok:
        yield _result("edit", lambda: _edit(config))
    else:
        yield Result("edit", False, "not tried without the memory")


def _result(what: str, work: Callable[[], str]) -> Result:
    try:
        return Result(what, True, work())
    except Exception as error:
        return Result(what, False, " ".join(str(error).split()) or type(error).__name__)


def _check_decoders() -> str:
    """Write a video and read it back."""
    frames = make_clip(64, 96, frames=8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "check.mp4"
        path.write_bytes(encode_video(frames, 8.0))
        with open_video(str(path)) as video:
            decoder = video.decoder
        decoded = decode_video(path.read_bytes())
    error = np.abs(decoded.astype(int) - frames).mean()
    if decoded.shape != frames.shape or error > 8:
        raise RunError(f"{decoder} returns other frames than were written: reinstall av and decord")
    return f"{decoder} reads H.264"


def _check_plugins(config: Config) -> str:
    plugins.check_annotators(config, used=False)
    plugins.check_metrics(config, used=False)
    editor_settings(plugins.find_editor(config), config)
    annotate = config.annotate
    return ", ".join((annotate.tracker, annotate.captioner, annotate.prompter, config.editor))


def _check_weights(config: Config) -> str:
    plugins.check_annotators(config, used=True)
    plugins.check_metrics(config, used=True)
    plugins.check_editor(config)
    fetch_models(config)
    named = [str(model) for model in models(config)]
    if uses_backbone(config):
        named.append(f"backbone: {_folder(config)}")
    return "\n".join(named) or "none are needed"


def _folder(config: Config) -> Path:
    return weights_folder(config.backbone.weights, config.execution.access)


def _check_memory(config: Config) -> str:
    """Project the memory of an edit at the clip size of the configuration.

    Raises:
        RunError: this machine has too little, or a large model has no GPU.
    """
    if not uses_backbone(config):
        needed = [model for model in models(config) if model.kind == "editor"]
        access = config.execution.access
        return _check_size([local_folder(model.source, access) for model in needed])
    folder = _folder(config)
    if is_joint(folder):
        return _check_size([folder])
    dtype = _dtype(config)
    clip = make_clip(config.clip.height, config.clip.width, config.clip.num_frames)
    parts = project(lambda: Model(build_untrained(folder), clip, STEPS), dtype)
    lean = config.execution.memory == "lean"
    score = parts["score pass, lean" if lean else "score pass"]
    kept = 0 if lean else config.edit.num_inference_steps * parts["Ω_src of a step"]
    need = parts["weights"] + score + min(kept, 8 << 30)
    told = f"an edit needs about {amount(need)}"
    if not _has_gpu():
        if parts["weights"] > LARGE:
            raise RunError(
                f"no GPU: {told}, and takes hours on a CPU with a backbone of "
                f"{amount(parts['weights'])}. Take a machine with a GPU of that memory"
            )
        there = psutil.virtual_memory().available
        if need > there:
            raise RunError(f"{told} of memory, {amount(there)} are free: take smaller clips")
        return f"{told} of memory, {amount(there)} are free; no GPU"
    there = torch.cuda.get_device_properties(0).total_memory
    if need > there:
        raise RunError(
            f"{told}, {_gpu()}: set execution.memory=lean, or take a larger GPU or smaller clips"
        )
    return f"{told}, {_gpu()}"


def _check_size(folders: Iterable[Path]) -> str:
    """Compare the models of an editor, whose memory is not projected, with this machine.

    Raises:
        RunError: they are large, and there is no GPU.
    """
    size = sum(path.stat().st_size for each in folders for path in each.rglob("*"))
    if _has_gpu():
        return f"not projected; the editor's models have {amount(size)}, {_gpu()}"
    if size > LARGE:
        raise RunError(
            f"no GPU: an edit takes hours on a CPU with models of {amount(size)}. Take a machine "
            "with a GPU"
        )
    return f"not projected; the editor's models have {amount(size)}; no GPU"


def _edit(config: Config) -> str:
    """Edit a clip on this machine's device. Editors on the backbone do it in two steps."""
    clip = make_clip(config.clip.height, config.clip.width, config.clip.num_frames)
    edit = replace(config.edit, num_inference_steps=STEPS)
    short = config.model_copy(update={"edit": edit})
    began = time.perf_counter()
    editor = build_editor(plugins.find_editor(short), short)
    loaded = time.perf_counter()
    edited = editor.edit(editor.invert(clip, SOURCE), TARGETS[0], None, 0)
    ended = time.perf_counter()
    if edited.shape != clip.shape:
        raise RunError(f"the editor returned {edited.shape} of a clip {clip.shape}")
    where = _gpu() if _has_gpu() else "the CPU"
    what = f"{STEPS} steps" if uses_backbone(config) else "a clip"
    return f"{what} in {ended - loaded:.1f} s on {where}, loaded in {loaded - began:.1f} s"


def _dtype(config: Config) -> torch.dtype:
    if config.backbone.dtype != "auto":
        return getattr(torch, config.backbone.dtype)
    return torch.float16 if _has_gpu() else torch.float32


def _has_gpu() -> bool:
    return torch.cuda.is_available()


def _gpu() -> str:
    device = torch.cuda.get_device_properties(0)
    return f"{device.name} has {amount(device.total_memory)}"
