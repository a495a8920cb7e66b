"""ANNOTATE: reads the sources and commits clips with mask, caption and targets to clips/.

If no annotator requires a GPU, one Ray Data job does everything in tasks. An annotator that
requires a GPU has a job of its own with a pool of workers that keep the model loaded. The steps
before and after it form further jobs. Each job but the last commits its clips below steps/, where
the next job finds its items. With `publish.size` source, a last job stores the clips that are ok at
the source's size.
"""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, ClassVar, Literal

import pyarrow as pa
import ray.data

from pipelines import plugins
from pipelines.cluster import (
    MAX_BLOCK_ROWS,
    allocate,
    cpus,
    pool_options,
    rows_per_block,
    task_options,
)
from pipelines.config.config import Config
from pipelines.phases.full_size import FullSizeWork
from pipelines.plugins import InWorker
from pipelines.reliability.deadline import Bound, Deadline
from pipelines.reliability.resilient_work import PhaseWork
from pipelines.rows import Row
from pipelines.schema import CLIPS, SOURCES, STEP, with_extras
from pipelines.stages.annotate_block import AnnotateBlock
from pipelines.stages.base import Stage
from pipelines.stages.caption import Caption, name_subject
from pipelines.stages.find_clips import FindClips, failed_source
from pipelines.stages.target import Target
from pipelines.stages.track import Track
from pipelines.storage import Storage
from pipelines.tables.clips import (
    CLIPS_FOLDER,
    CommitClips,
    name_row,
    pending_clips,
    pending_sources,
    read_found,
)

STEPS: dict[str, tuple[str, ...]] = {
    "clips": ("decode",),
    "captions": ("caption",),
    "masks": ("subject", "track"),
    "targets": ("target",),
}
"""The steps in order, each with the names of its stages. A job takes one or several steps."""
Model = Literal["captioner", "tracker"]
MODELS: dict[str, Model] = {"captions": "captioner", "masks": "tracker"}
"""The steps with an annotator that may require a GPU."""
FIRST_BLOCK_CLIPS = 8
"""Initial block size for model stages, before durations have been measured."""


def works(
    sources: pa.Table, output: Storage, config: Config
) -> "list[FindClipsWork | AnnotateWork | FullSizeWork]":
    """Returns the jobs that annotate, to be run in this order.

    Args:
        sources: table of `schema.SOURCES`.
        output: the run's folder. Files are committed to clips/ and full/, and before that to
            steps/.
        config: the run's configuration.
    """
    found: list[FindClipsWork | AnnotateWork | FullSizeWork] = []
    before = ""
    for steps in divide(config):
        last = steps[-1] == list(STEPS)[-1]
        folder = CLIPS_FOLDER if last else f"steps/{steps[-1]}"
        schema = with_extras(CLIPS if last else STEP, pa.schema([]))
        commit = CommitClips(output, folder, schema, [s for step in steps for s in STEPS[step]])
        if before:
            found.append(AnnotateWork(sources, before, steps, commit, config))
        else:
            found.append(FindClipsWork(sources, steps, commit, config))
        before = folder
    if config.publish.size == "source":
        found.append(FullSizeWork(sources, output, config))
    return found


def divide(config: Config) -> list[list[str]]:
    """Returns the steps of each job. A step whose model requires a GPU is a job of its own."""
    alone = groupby(STEPS, lambda step: step if pool(step, config) else None)
    return [list(steps) for _, steps in alone]


def pool(step: str, config: Config) -> Model | None:
    """Returns the worker whose pool runs a step; None if the step runs in tasks."""
    worker = MODELS.get(step)
    return worker if worker and plugins.on_gpu(worker, config) else None


def stages(steps: Sequence[str], config: Config, deadline: Bound, key: str) -> list[Stage]:
    """Returns the stages of the steps.

    Args:
        key: the column by which the deadline identifies a row.
    """
    choice = config.annotate
    tracker = InWorker("tracker", config)
    track = Track(
        choice.tracker, tracker, choice.mask_check, config.clip.num_frames, choice.objects_per_edit
    )
    functions: dict[str, list[tuple[str, Callable[[Row], Row]]]] = {
        "captions": [("caption", Caption(choice.captioner, InWorker("captioner", config)))],
        "masks": [("subject", name_subject), ("track", track)],
        "targets": [
            ("target", Target(InWorker("prompter", config), choice.targets_per_clip, config.seed))
        ],
    }
    return [
        Stage(name, function, deadline, key, config.clip.num_frames)
        for step in steps
        for name, function in functions.get(step, [])
    ]


class FindClipsWork(PhaseWork):
    """The first job: finds the clips of sources, and takes the first steps. An item is a source.

    Args:
        sources: as for `works`.
        steps: the steps of the job.
        commit: commits a block of clips.
        config: the run's configuration.
    """

    name = "annotate"
    key: ClassVar[str] = "source_row"
    max_items: ClassVar[int] = MAX_BLOCK_ROWS
    unit: ClassVar[str] = "sources"
    """The column of `COMMITTED` that counts items."""

    def __init__(
        self, sources: pa.Table, steps: Sequence[str], commit: CommitClips, config: Config
    ) -> None:
        super().__init__(commit.output, config.execution, cpus())
        self.sources = sources
        self.steps = steps
        self.commit = commit
        self.config = config

    def first_block_size(self, items: int) -> int:
        return rows_per_block(items)

    def pending(self) -> pa.Table:
        sources = self.sources.select(SOURCES.names)
        return pending_sources(sources, self.output, self.commit.folder)

    def build(self, items: pa.Table, rows: int, deadline: Deadline) -> ray.data.Dataset:
        task = task_options(deadline.isolate)
        find = FindClips(self.config.clip, self.execution.storage_options, deadline)
        clips = (
            ray.data.from_arrow(items)
            .repartition(target_num_rows_per_block=rows)
            # 1. source → clips: decode, resize, encode
            .flat_map(find, **task)
        )
        # 2. caption, subject and mask, targets
        for stage in stages(self.steps, self.config, deadline, self.key):
            clips = clips.map(stage, **task)
        # 3. one file per block
        return clips.map(name_row, **task).map_batches(
            self.commit, batch_size=None, batch_format="pyarrow", **task
        )

    def commit_failure(self, item: Row, outcome: Row) -> Row:
        row = failed_source(item, outcome) | {"clips_in_source": 0, "seconds": 0.0}
        return self.commit.commit([row])


class AnnotateWork(PhaseWork):
    """A later job: takes its steps for the clips of the previous job. An item is a clip.

    Args:
        sources: as for `works`.
        before: the folder of the previous job.
        steps: the steps of the job.
        commit: commits a block of clips.
        config: the run's configuration.
    """

    key: ClassVar[str] = "found_row"
    max_items: ClassVar[int] = MAX_BLOCK_ROWS
    unit: ClassVar[str] = "rows"
    """The column of `COMMITTED` that counts items."""

    def __init__(
        self,
        sources: pa.Table,
        before: str,
        steps: Sequence[str],
        commit: CommitClips,
        config: Config,
    ) -> None:
        self.name = f"annotate {steps[0]}"
        self.sources = sources
        self.worker = pool(steps[0], config)
        workers = (
            allocate(config.execution, self.max_items, self.worker).workers
            if self.worker
            else cpus()
        )
        super().__init__(commit.output, config.execution, workers)
        self.before = before
        self.steps = steps
        self.commit = commit
        self.config = config

    def first_block_size(self, items: int) -> int:
        return max(1, min(FIRST_BLOCK_CLIPS, items // (8 * self.workers)))

    def pending(self) -> pa.Table:
        return pending_clips(self.output, self.before, self.commit.folder, self.sources)

    def build(self, items: pa.Table, rows: int, deadline: Deadline) -> ray.data.Dataset:
        isolate = deadline.isolate
        blocks = ray.data.from_arrow(items).repartition(target_num_rows_per_block=rows)
        made = (stages(self.steps, self.config, deadline, self.key), self.commit)
        batches: dict[str, Any] = {"batch_size": rows, "batch_format": "pyarrow"}
        if self.worker is None:
            return blocks.map_batches(AnnotateBlock(*made), **batches, **task_options(isolate))
        part = allocate(self.execution, 1 if isolate else len(items), self.worker)
        return blocks.map_batches(
            AnnotateBlock,
            fn_constructor_args=(*made, InWorker(self.worker, self.config), part.threads),
            **pool_options(part, len(items), isolate, in_flight=1 if isolate else 2),
            **batches,
        )

    def commit_failure(self, item: Row, outcome: Row) -> Row:
        (row,) = read_found(self.output, [(item["file"], item["found_row"])])
        return self.commit.commit([row | outcome])
