"""ANNOTATE: sources in; clips with mask, caption and targets out, as files of clips/."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import ray.data

from pipelines import ids
from pipelines.bounded import Work, carry_out
from pipelines.cluster import MOST_ROWS, cpus, rows_per_block
from pipelines.config import Config
from pipelines.plugins import InWorker
from pipelines.schema import CLIPS, OUTCOME, conform, extras_of, rows_table, with_extras
from pipelines.stages.base import FAILURES, Row, Stage, outcome
from pipelines.stages.caption import Caption
from pipelines.stages.find_clips import FindClips, failed_source
from pipelines.stages.subject import name_subject
from pipelines.stages.target import Target
from pipelines.stages.track import Track
from pipelines.storage import Storage
from pipelines.watch import Watch

COMMITTED = pa.schema(
    [
        ("sources", pa.int64()),
        ("clips", pa.int64()),
        ("ok", pa.int64()),
        ("rejected", pa.int64()),
        ("failed", pa.int64()),
        ("failures", FAILURES),
        ("problem", pa.string()),
    ]
)
"""What became of a block: counts, what failed, and why it could not be written."""


def annotate(sources: pa.Table, output: Storage, config: Config) -> Iterator[Row]:
    """Annotate what is not annotated yet; yields one row a committed file, with its counts.

    Args:
        sources: of `schema.SOURCES` and the manifest's own columns.
        output: the run's folder; files are committed to its clips/.
        config: the run's.
    """
    choice, options = config.annotate, config.execution.storage_options
    track = Track(choice.tracker, InWorker("tracker", config), choice.mask_check)
    caption = Caption(choice.captioner, InWorker("captioner", config))
    target = Target(InWorker("prompter", config), choice.targets_per_clip, config.seed)
    commit = CommitClips(output, with_extras(CLIPS, extras_of(sources.schema)))

    def chain(todo: pa.Table, rows: int, watch: Watch) -> ray.data.Dataset:
        # A task whose worker died is not repeated here: see `bounded`.
        task: dict[str, Any] = {"num_cpus": 1, "max_retries": 0}
        if watch.marks:
            task["concurrency"] = 1
        return (
            ray.data.from_arrow(todo)
            .repartition(target_num_rows_per_block=rows)
            # 1. source → clips: decode, resize, encode
            .flat_map(FindClips(config.clip, options, watch), **task)
            # 2. source prompt
            .map(Stage("caption", caption, watch), **task)
            # 3. what is to be edited, and its mask
            .map(Stage("subject", name_subject, watch), **task)
            .map(Stage("track", track, watch), **task)
            # 4. target prompts
            .map(Stage("target", target, watch), **task)
            .map(name_row, **task)
            # 5. one file a block
            .map_batches(commit, batch_size=None, batch_format="pyarrow", **task)
        )

    def give_up(source: Row, outcome: Row) -> Row:
        row = failed_source(source, outcome) | {"clips_in_source": 0, "seconds": 0.0}
        return commit(rows_table([row], commit.schema)).to_pylist()[0]

    work = Work(
        phase="annotate",
        key="source_row",
        pending=lambda: pending(sources, output),
        workers=cpus(),
        first_rows=rows_per_block,
        most_rows=MOST_ROWS,
        chain=chain,
        give_up=give_up,
    )
    yield from carry_out(work, output, config.execution)


def pending(sources: pa.Table, output: Storage) -> pa.Table:
    """The sources whose clips are not all committed."""
    rows = output.read_folder("clips", ["source_row", "row_id", "clips_in_source"])
    if rows is None:
        return sources
    found = rows.group_by("source_row").aggregate(
        [("row_id", "count_distinct"), ("clips_in_source", "min")]  # 0: given up
    )
    whole = pc.greater_equal(found["row_id_count_distinct"], found["clips_in_source_min"])
    done = found.filter(whole)["source_row"]
    return sources.filter(pc.invert(pc.is_in(sources["source_row"], done)))


def name_row(row: Row) -> Row:
    """Sets row_id of a clip."""
    return row if row["level"] == "source" else row | {"row_id": ids.clip_row_id(row)}


class CommitClips:
    """Writes a block of clips as one file, named by the rows it holds."""

    def __init__(self, output: Storage, schema: pa.Schema) -> None:
        self.output = output
        self.schema = schema

    def __call__(self, clips: pa.Table) -> pa.Table:
        # In an order by which a reader finds a clip without reading the others.
        table = conform(clips, self.schema).sort_by("row_id")
        sources = set(table["source_row"].to_pylist())
        name = ids.content_id(rows=sorted(table["row_id"].to_pylist()), sources=sorted(sources))
        problem = self.output.commit_table(f"clips/{name}.parquet", table, row_group_size=8)
        rows = table.select([*OUTCOME, "row_id", "level"]).to_pylist()
        counts = {"sources": len(sources), "clips": sum(r["level"] == "clip" for r in rows)}
        return pa.Table.from_pylist([counts | outcome(rows) | {"problem": problem}], COMMITTED)
