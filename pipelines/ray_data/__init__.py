"""A plug-in for Ray Data: the stages of a run as functions of a user's own dataset.

    import ray
    from pipelines.ray_data import augment, load_config

    videos = ray.data.from_items([{"video": "a.mp4", "caption": "a red circle over bricks"}])
    edits = augment(videos, load_config("miniature"))
    edits.filter(expr="status == 'ok'").write_parquet("edits")

Every function returns a lazy Dataset with our columns beside the user's. A row that fails is a row
with its reason: see `schema.OUTCOME`. Stages, editors and ids are those of `strmatch run`, and no
folder is written, but for a cache of edits that the user names.
"""

import os
from typing import TYPE_CHECKING, Any

from ray.data import ActorPoolStrategy, Dataset

from pipelines import plugins
from pipelines.cluster import MAX_BLOCK_ROWS, Worker, allocate
from pipelines.config.config import Config
from pipelines.config.loading import load_config
from pipelines.editors.base import editor_revision
from pipelines.errors import ConfigError
from pipelines.phases.annotate import STEPS, pool
from pipelines.ray_data.annotate import AnnotateRows
from pipelines.ray_data.captions import AnnotateAnswered, CarryRows, captioned
from pipelines.ray_data.edit import EditRows
from pipelines.ray_data.measure import MeasureRows
from pipelines.runs.preflight import fetch_models
from pipelines.storage import Storage

if TYPE_CHECKING:
    from ray.data.llm import ProcessorConfig

__all__ = ["annotate", "augment", "edit", "load_config", "measure"]


def annotate(
    ds: Dataset,
    config: Config,
    *,
    root: str | None = None,
    captioner: "ProcessorConfig | None" = None,
) -> Dataset:
    """Find the clips of videos, with captions, masks and target prompts.

    Args:
        ds: rows with `video`, the URI or the bytes of a file. Columns of a manifest are read where
            they are there: id, uri (of bytes), caption, subject, targets, where, mask_uri,
            mask_label, edits, start_seconds.
        config: see `load_config`.
        root: folder or URI from which relative addresses start. Addresses below are recorded
            relative to the folder, as by a run whose input is the folder. None: the working
            directory.
        captioner: a processor of `ray.data.llm` that captions clips without a caption. None:
            `annotate.captioner` does.

    Returns:
        One row per clip, and per video without a clip.

    Raises:
        RunError: in one line, which annotator cannot work, and why.
    """
    plugins.check_annotators(config, used=True)
    fetch_models(config)
    folder = Storage(root or os.getcwd(), config.execution.storage_options)
    pools = [worker for step in STEPS if (worker := pool(step, config))]
    worker = pools[0] if pools else None
    if captioner is None:
        return _map(ds, AnnotateRows, (config, folder), config, worker)
    found = _map(ds, CarryRows, (config, folder), config, None)
    return _map(captioned(found, captioner, config), AnnotateAnswered, (config,), config, worker)


def edit(ds: Dataset, config: Config, *, cache: str | None = None) -> Dataset:
    """Edit annotated clips to all their targets.

    Args:
        ds: the result of `annotate`, or some of its rows.
        config: see `load_config`.
        cache: folder or URI that keeps edits, by their ids. Edits that are there are not made
            again. The output of a run may be one.

    Returns:
        One row per clip and target. A clip that cannot be edited stays one row.

    Raises:
        RunError: in one line, why the editor cannot work.
    """
    _check_rowwise(config)
    plugins.check_editor(config)
    fetch_models(config)
    editor = plugins.find_editor(config)
    made = (config, editor, editor_revision(editor, config), _storage(cache, config))
    return _map(ds, EditRows, made, config, "editor")


def measure(ds: Dataset, config: Config) -> Dataset:
    """Measure edits, and reject those outside `publish.limits`.

    Args:
        ds: the result of `edit`, or some of its rows.
        config: see `load_config`.

    Returns:
        The same rows, with a column for every metric.

    Raises:
        RunError: in one line, which metric cannot be computed, and why.
    """
    plugins.check_metrics(config, used=True)
    fetch_models(config)
    worker: Worker | None = "metric" if plugins.metrics_on_gpu(config) else None
    return _map(ds, MeasureRows, (config,), config, worker)


def augment(
    ds: Dataset,
    config: Config,
    *,
    root: str | None = None,
    captioner: "ProcessorConfig | None" = None,
    cache: str | None = None,
) -> Dataset:
    """Annotate, edit and measure. Arguments and errors as for these functions."""
    clips = annotate(ds, config, root=root, captioner=captioner)
    return measure(edit(clips, config, cache=cache), config)


def _storage(uri: str | None, config: Config) -> Storage | None:
    return None if uri is None else Storage(uri, config.execution.storage_options)


def _check_rowwise(config: Config) -> None:
    """Check that an edit needs nothing but its row.

    Raises:
        ConfigError: a setting needs the files of a run.
    """
    if config.edit.tries:
        raise ConfigError("edit.tries: further tries need the measures of a run; set edit.tries=0")
    if config.publish.size == "source":
        raise ConfigError("publish.size=source: needs the files of a run; use `strmatch run`")


def _map(
    ds: Dataset, make: type, arguments: tuple[Any, ...], config: Config, worker: Worker | None
) -> Dataset:
    """Returns the dataset of `make(*arguments)`, called with one row at a time.

    Args:
        worker: whose pool works. None: tasks.
    """
    rows = ds.repartition(target_num_rows_per_block=1)
    rows.context.execution_no_progress_timeout_s = -1  # every row has a deadline of its own
    batches: dict[str, Any] = {"batch_size": None, "batch_format": "pyarrow"}
    if worker is None:
        return rows.map_batches(make(*arguments), num_cpus=1, **batches)
    part = allocate(config.execution, MAX_BLOCK_ROWS, worker)
    # A pool of another function may hold GPUs: this one begins with what is left.
    workers = ActorPoolStrategy(min_size=1, max_size=part.workers, initial_size=part.workers)
    return rows.map_batches(
        make,
        fn_constructor_args=arguments,
        compute=workers,
        num_gpus=part.gpus,
        num_cpus=part.cpus,
        **batches,
    )
