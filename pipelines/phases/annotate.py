"""ANNOTATE: sources in; clips with mask, caption and targets out, as files of clips/.

One job of Ray Data does it all, in tasks, as long as no annotator asks for a GPU. One that does has
a job of its own, with a pool of workers that keep its model loaded; what comes before and after it
are jobs, too. What a job finds, unless it is the last one, lies below steps/, where the next one
sees what it has to do.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

import pyarrow as pa
import ray.data
from ray.data import ActorPoolStrategy

from pipelines import plugins
from pipelines.cluster import MOST_ROWS, allocate, cpus, rows_per_block
from pipelines.config.config import Config
from pipelines.plugins import InWorker
from pipelines.reliability.deadline import Deadline
from pipelines.reliability.resilient_work import PhaseWork
from pipelines.rows import Row
from pipelines.schema import CLIPS, STEP, extras_of, with_extras
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
"""The steps in order, each with its stages. A job takes one or several."""
Model = Literal["captioner", "tracker"]
MODELS: dict[str, Model] = {"captions": "captioner", "masks": "tracker"}
"""The steps with an annotator that may ask for a GPU."""
FIRST_ROWS = 8
"""Clips of a block for a model, as long as nobody knows how long one takes."""


@dataclass(frozen=True)
class Job:
    """A part of ANNOTATE that is one job of Ray Data at a time."""

    name: str
    work: PhaseWork
    """Annotates what is not annotated yet; one row of `COMMITTED` a file."""
    counts: Collection[str]
    """What is counted anew: columns of `COMMITTED`."""
    item: str
    """The column that counts the items of the work."""
    total: int | None
    """How many items there are, if that is known."""


def jobs(sources: pa.Table, output: Storage, config: Config) -> Iterator[Job]:
    """The jobs that annotate, to be carried out one after the other.

    Args:
        sources: of `schema.SOURCES` and the manifest's own columns.
        output: the run's folder; files are committed to its clips/, and before that to its steps/.
        config: the run's.
    """
    before, extras = "", extras_of(sources.schema)
    for steps in divide(config):
        last = steps[-1] == list(STEPS)[-1]
        folder = CLIPS_FOLDER if last else f"steps/{steps[-1]}"
        schema = with_extras(CLIPS if last else STEP, extras)
        commit = CommitClips(output, folder, schema, [s for step in steps for s in STEPS[step]])
        if not before:
            work = find_clips(sources, steps, commit, config)
            counts = ("sources", "clips", "rejected", "failed")
            yield Job("annotate", work, counts, "sources", len(sources))
        else:
            work = go_on(before, steps, commit, config)
            yield Job(f"annotate {steps[0]}", work, ("rejected", "failed"), "rows", None)
        before = folder


def divide(config: Config) -> list[list[str]]:
    """The steps of each job. One with a model that asks for a GPU is alone."""
    alone = groupby(STEPS, lambda step: step if pool(step, config) else None)
    return [list(steps) for _, steps in alone]


def pool(step: str, config: Config) -> Model | None:
    """Whose pool of workers a step takes; None: it runs in tasks."""
    worker = MODELS.get(step)
    return worker if worker and plugins.on_gpu(worker, config) else None


def stages(steps: Sequence[str], config: Config, deadline: Deadline, key: str) -> list[Stage]:
    """What the steps do to a row, which the deadline knows by `key`."""
    choice = config.annotate
    track = Track(choice.tracker, InWorker("tracker", config), choice.mask_check)
    functions: dict[str, list[tuple[str, Callable[[Row], Row]]]] = {
        "captions": [("caption", Caption(choice.captioner, InWorker("captioner", config)))],
        "masks": [("subject", name_subject), ("track", track)],
        "targets": [
            ("target", Target(InWorker("prompter", config), choice.targets_per_clip, config.seed))
        ],
    }
    return [
        Stage(name, function, deadline, key)
        for step in steps
        for name, function in functions.get(step, [])
    ]


def tasks(deadline: Deadline) -> dict[str, Any]:
    """Arguments of tasks. One whose worker died is not repeated by Ray: see `bounded`."""
    return {"num_cpus": 1, "max_retries": 0} | ({"concurrency": 1} if deadline.isolate else {})


def find_clips(
    sources: pa.Table, steps: Sequence[str], commit: CommitClips, config: Config
) -> PhaseWork:
    """The first job: the clips of sources, and what is said about them without a GPU."""

    def chain(todo: pa.Table, rows: int, deadline: Deadline) -> ray.data.Dataset:
        task = tasks(deadline)
        clips = (
            ray.data.from_arrow(todo)
            .repartition(target_num_rows_per_block=rows)
            # 1. source → clips: decode, resize, encode
            .flat_map(FindClips(config.clip, config.execution.storage_options, deadline), **task)
        )
        # 2. caption, subject and mask, targets
        for stage in stages(steps, config, deadline, "source_row"):
            clips = clips.map(stage, **task)
        # 3. one file a block
        return clips.map(name_row, **task).map_batches(
            commit, batch_size=None, batch_format="pyarrow", **task
        )

    def give_up(source: Row, outcome: Row) -> Row:
        row = failed_source(source, outcome) | {"clips_in_source": 0, "seconds": 0.0}
        return commit.commit([row])

    return PhaseWork(
        phase="annotate",
        key="source_row",
        pending=lambda: pending_sources(sources, commit.output, commit.folder),
        workers=cpus(),
        first_rows=rows_per_block,
        most_rows=MOST_ROWS,
        chain=chain,
        give_up=give_up,
    )


def go_on(before: str, steps: Sequence[str], commit: CommitClips, config: Config) -> PhaseWork:
    """A later job: what its steps say about the clips that lie in the folder of the one before."""
    worker = pool(steps[0], config)
    workers = allocate(config.execution, MOST_ROWS, worker).workers if worker else cpus()

    def chain(clips: pa.Table, rows: int, deadline: Deadline) -> ray.data.Dataset:
        blocks = ray.data.from_arrow(clips).repartition(target_num_rows_per_block=rows)
        made = (stages(steps, config, deadline, "found_row"), commit)
        batches: dict[str, Any] = {"batch_size": rows, "batch_format": "pyarrow"}
        if worker is None:
            return blocks.map_batches(AnnotateBlock(*made), **batches, **tasks(deadline))
        part = allocate(config.execution, 1 if deadline.isolate else len(clips), worker)
        return blocks.map_batches(
            AnnotateBlock,
            fn_constructor_args=(*made, InWorker(worker, config), part.threads),
            compute=ActorPoolStrategy(
                size=part.workers, max_tasks_in_flight_per_actor=1 if deadline.isolate else 2
            ),
            num_gpus=part.gpus,
            num_cpus=part.cpus,
            # A worker that died is built again, but what it died with is not repeated here: see
            # `bounded`.
            max_restarts=-1 if len(clips) > 1 and not deadline.isolate else 0,
            max_task_retries=0,
            **batches,
        )

    def give_up(clip: Row, outcome: Row) -> Row:
        (row,) = read_found(commit.output, [(clip["file"], clip["found_row"])])
        return commit.commit([row | outcome])

    return PhaseWork(
        phase=f"annotate {steps[0]}",
        key="found_row",
        pending=lambda: pending_clips(commit.output, before, commit.folder),
        workers=workers,
        first_rows=lambda clips: max(1, min(FIRST_ROWS, clips // (8 * workers))),
        most_rows=MOST_ROWS,
        chain=chain,
        give_up=give_up,
    )
