"""Find and load a pipeline of diffusers."""

import difflib
import hashlib
import inspect
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from pipelines.config.config import Config
from pipelines.editors.diffusers.options import DiffusersOptions, Memory
from pipelines.errors import ConfigError
from strmatch.weights.errors import WeightsError
from strmatch.weights.locate import local_folder
from strmatch.weights.manifest import files_revision
from strmatch.weights.source import Source

FILES = ("*.json", "*.txt", "*.model", "*.safetensors", "*.jinja")
"""Patterns of the files of a pipeline: neither pickles nor code."""
INDEX = "model_index.json"


def source(options: DiffusersOptions) -> Source:
    """The weights of the pipeline."""
    return Source(options.model, options.revision, FILES, (INDEX,))


def lora_sources(options: DiffusersOptions) -> list[Source]:
    """The weights of the adapters."""
    return [Source(lora.model, lora.revision, FILES, ("*.safetensors",)) for lora in options.loras]


def refuse_unpinned(options: DiffusersOptions) -> None:
    """Refuse hub ids without a commit.

    Raises:
        ConfigError: in one line, which option is to name the commit.
    """
    fields = ["editor_options", *(f"editor_options.loras.{n}" for n in range(len(options.loras)))]
    for field, weights in zip(fields, [source(options), *lora_sources(options)], strict=True):
        if weights.is_uri or weights.is_local or weights.revision or "@" in weights.weights:
            continue
        raise ConfigError(
            f"{field}.revision: {weights.weights} is no folder; of a hub id, set {field}.revision "
            "to its commit"
        )


def pipeline_class(name: str) -> Any:
    """Returns a class of diffusers, or of `module:Class`.

    Raises:
        ConfigError: there is no such class.
    """
    module, colon, attribute = name.partition(":")
    if colon:
        try:
            return getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise ConfigError(f"editor_options.pipeline {name}: {error}") from None
    import diffusers

    if not hasattr(diffusers, name):
        there = [each for each in dir(diffusers) if each.endswith("Pipeline")]
        near = difflib.get_close_matches(name, there, n=1)
        hint = f"; did you mean {near[0]}?" if near else "; custom ones are module:Class"
        raise ConfigError(f"editor_options.pipeline: diffusers has no {name}{hint}")
    return getattr(diffusers, name)


def parameters(pipeline: Any) -> Mapping[str, inspect.Parameter]:
    """Returns the parameters of the call of a pipeline's class."""
    found = inspect.signature(pipeline.__call__).parameters
    return {name: parameter for name, parameter in found.items() if name != "self"}


def load(config: Config, options: DiffusersOptions) -> Any:
    """Returns the pipeline, on the device and in the memory mode that the options name."""
    import torch

    if config.execution.torch_threads:
        torch.set_num_threads(config.execution.torch_threads)
    access = config.execution.access
    device = "cuda" if torch.cuda.is_available() else "cpu"
    default = "float32" if device == "cpu" else "bfloat16"
    named = default if config.backbone.dtype == "auto" else config.backbone.dtype
    pipeline = pipeline_class(options.pipeline).from_pretrained(
        local_folder(source(options), access),
        dtype=getattr(torch, named),
        use_safetensors=True,
        local_files_only=True,
    )
    pipeline.set_progress_bar_config(disable=True)
    _load_loras(pipeline, options, config)
    place(pipeline, options.memory, device)
    return pipeline


def _load_loras(pipeline: Any, options: DiffusersOptions, config: Config) -> None:
    names = [f"lora {number}" for number in range(len(options.loras))]
    for name, adapter in zip(names, lora_sources(options), strict=True):
        folder = local_folder(adapter, config.execution.access)
        pipeline.load_lora_weights(folder, adapter_name=name, local_files_only=True)
    if names:
        pipeline.set_adapters(names, [lora.scale for lora in options.loras])


def place(pipeline: Any, memory: Memory, device: str) -> None:
    """Put a pipeline on a device, in a memory mode. On a CPU nothing is offloaded."""
    if memory.vae_tiling:
        pipeline.vae.enable_tiling()
    if memory.vae_slicing:
        pipeline.vae.enable_slicing()
    if device == "cpu" or memory.offload == "none":
        pipeline.to(device)
    elif memory.offload == "model":
        pipeline.enable_model_cpu_offload(device=device)
    else:
        pipeline.enable_sequential_cpu_offload(device=device)


def revision(config: Config, options: DiffusersOptions) -> str:
    """Identifies the weights: the commits of hub ids, the content of folders and URIs."""
    return _combined(_revision(each, config) for each in [source(options), *lora_sources(options)])


def _revision(weights: Source, config: Config) -> str:
    if not weights.is_uri and not weights.is_local:
        return weights.hub_id()[1]
    folder = local_folder(weights, config.execution.access)
    return files_revision(folder, _files(folder))


def _files(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    kept = [path for path in found if any(path.match(pattern) for pattern in FILES)]
    if not kept:
        raise WeightsError(f"{folder} holds no weights")
    return kept


def _combined(revisions: Any) -> str:
    first, *others = revisions
    if not others:
        return str(first)
    return hashlib.sha256("|".join([first, *others]).encode()).hexdigest()[:16]
