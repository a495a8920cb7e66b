"""The models of a run: which are needed, where they come from, and their download to this machine.

Other machines of the cluster fetch a model when their first worker loads the model.
"""

import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipelines.config.config import Config
from pipelines.config.options import choose, chosen
from pipelines.editors.base import uses_backbone
from pipelines.errors import RunError
from pipelines.progress import DownloadBar
from pipelines.registry import Kind
from strmatch.presets import PRESETS, load_preset
from strmatch.weights.hub import HubFile, cache_folder, cached_snapshot, list_hub_files
from strmatch.weights.locate import local_folder
from strmatch.weights.source import Source

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Model:
    """Weights that a plug-in of a run loads."""

    kind: Kind
    plugin: str
    source: Source

    def __str__(self) -> str:
        return f"{self.kind} {self.plugin}: {self.source.origin}"

    def files(self, config: Config) -> list[HubFile]:
        """The files to take from the hub; none of a folder, a URI, a store, or a cached model.

        Raises:
            WeightsError: the hub does not list the model.
        """
        access, source = config.execution.access, self.source
        if source.is_uri or source.is_local or access.store or cached_snapshot(source):
            return []
        return [file for file in list_hub_files(source) if not file.cached]


def models(config: Config) -> Iterator[Model]:
    """The weights that the plug-ins of a configuration load, each once.

    Raises:
        Exception: what the hook `models` of a plug-in raises.
    """
    seen = set()
    for kind, name in chosen(config):
        if kind == "metric" and name not in config.measure.metrics:
            continue
        for source in choose(kind, config, name).call("models") or ():
            if source not in seen:
                seen.add(source)
                yield Model(kind, name, source)


def fetch_models(config: Config) -> None:
    """Fetch the models that this machine lacks, after a log of what, from where and how large.

    Raises:
        RunError: in one line, which model cannot be fetched, and why.
    """
    try:
        needed = list(models(config))
        missing = [(model, files) for model in needed if (files := model.files(config))]
        if missing:
            _announce(config, [(model, sum(f.size for f in files)) for model, files in missing])
        for model in needed:
            local_folder(model.source, config.execution.access, progress=DownloadBar)
        prepare_backbone(config)
    except Exception as error:
        raise RunError(f"weights: {' '.join(str(error).split())}") from error


def prepare_backbone(config: Config) -> Path | None:
    """Convert the published backbone of a preset, once on this machine; None: no such backbone.

    Raises:
        WeightsError: a source cannot be fetched, or does not fit the model.
    """
    if config.backbone.weights not in PRESETS or not uses_backbone(config):
        return None
    from strmatch.backbones.folder import weights_folder

    return weights_folder(
        config.backbone.weights, config.execution.access, report=log.info, progress=DownloadBar
    )


def gpu_memory(config: Config) -> str | None:
    """The memory that an editor of a preset needs on a GPU, in words; None: not known."""
    if config.backbone.weights not in PRESETS or not uses_backbone(config):
        return None
    memory = load_preset(config.backbone.weights).gpu_gb
    if memory is None:
        return None
    normal, lean = memory
    return (
        f"{normal:g} GB of GPU memory for an editor at the clip size of the preset, {lean:g} GB "
        "with execution.memory=lean (projected)"
    )


def _announce(config: Config, missing: list[tuple[Model, int]]) -> None:
    """Log the downloads.

    Raises:
        RunError: the disk has too little space.
    """
    from huggingface_hub import constants

    total = sum(size for _, size in missing)
    cache = cache_folder()
    log.info("to fetch from %s into %s: %s", constants.ENDPOINT, cache, amount(total))
    for model, size in missing:
        log.info("  %s, %s", model, amount(size))
    needs = gpu_memory(config)
    if needs:
        log.info("  the run needs %s", needs)
    there = next(folder for folder in (cache, *cache.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    if free < total:
        raise RunError(
            f"{amount(total)} do not fit into {cache}, which has {amount(free)} free: HF_HOME "
            "names another cache"
        )


def amount(size: float) -> str:
    """Bytes in words."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size:.0f} bytes"
