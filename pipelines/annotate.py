"""ANNOTATE: sources in; clips with mask, caption and targets out, as files of clips/."""

from collections.abc import Iterator

import pyarrow as pa
import ray.data

from pipelines import ids, plugins
from pipelines.cluster import rows_per_block
from pipelines.config import Config
from pipelines.schema import CLIPS, conform, extras_of, with_extras
from pipelines.stages.base import Row, Stage
from pipelines.stages.caption import Caption
from pipelines.stages.find_clips import FindClips
from pipelines.stages.target import Target
from pipelines.stages.track import Track
from pipelines.storage import Storage


def annotate(sources: pa.Table, output: Storage, config: Config) -> Iterator[Row]:
    """Annotate what is not annotated yet; yields one row a committed file, with its counts.

    Args:
        sources: of `schema.SOURCES` and the manifest's own columns.
        output: the run's folder; files are committed to its clips/.
        config: the run's.
    """
    todo = pending(sources, output)
    if not len(todo):
        return
    choice, clip = config.annotate, config.clip
    track = Track(choice.tracker, plugins.make_tracker(config))
    caption = Caption(choice.captioner, plugins.make_captioner(config))
    target = Target(plugins.make_prompter(config), choice.targets_per_clip, config.seed)
    schema = with_extras(CLIPS, extras_of(sources.schema))

    committed = (
        ray.data.from_arrow(todo)
        .repartition(target_num_rows_per_block=rows_per_block(len(todo)))
        # 1. source → clips: decode, resize, encode
        .flat_map(FindClips(clip, config.execution.storage_options), num_cpus=1)
        # 2. mask
        .map(Stage("track", track), num_cpus=1)
        # 3. source prompt
        .map(Stage("caption", caption), num_cpus=1)
        # 4. target prompts
        .map(Stage("target", target), num_cpus=1)
        .map(name_row, num_cpus=1)
        # 5. one file a block
        .map_batches(
            CommitClips(output, schema), batch_size=None, batch_format="pyarrow", num_cpus=1
        )
    )
    yield from committed.iter_rows()


def pending(sources: pa.Table, output: Storage) -> pa.Table:
    """The sources whose clips are not all committed."""
    found: dict[str, set[str]] = {}
    wanted: dict[str, int] = {}
    for name in output.files("clips", ".parquet"):
        columns = ["source_row", "row_id", "clips_in_source"]
        for row in output.read_table(name, columns).to_pylist():
            found.setdefault(row["source_row"], set()).add(row["row_id"])
            wanted[row["source_row"]] = row["clips_in_source"]
    done = {key for key, rows in found.items() if len(rows) >= wanted[key]}
    return sources.filter(pa.array([key not in done for key in sources["source_row"].to_pylist()]))


def name_row(row: Row) -> Row:
    """Sets row_id of a clip."""
    return row if row["level"] == "source" else row | {"row_id": ids.clip_row_id(row)}


class CommitClips:
    """Writes a block of clips as one file, named by the rows it holds."""

    def __init__(self, output: Storage, schema: pa.Schema) -> None:
        self.output = output
        self.schema = schema

    def __call__(self, clips: pa.Table) -> pa.Table:
        table = conform(clips, self.schema)
        sources = set(table["source_row"].to_pylist())
        name = ids.content_id(rows=sorted(table["row_id"].to_pylist()), sources=sorted(sources))
        # Small row groups, so that an editor that needs one clip reads little more.
        self.output.write_table(f"clips/{name}.parquet", table, row_group_size=8)
        levels, statuses = table["level"].to_pylist(), table["status"].to_pylist()
        failed = sum(status != "ok" for status in statuses)
        return pa.table(
            {"sources": [len(sources)], "clips": [levels.count("clip")], "failed": [failed]}
        )
