"""Clips of a user's videos, with captions, masks and target prompts."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from pipelines import ids
from pipelines.config.config import Config
from pipelines.errors import RowError
from pipelines.phases.annotate import STEPS, stages
from pipelines.ray_data.columns import ANNOTATED, beside, renamed, require
from pipelines.ray_data.isolated import Isolated
from pipelines.reliability.deadline import unbounded
from pipelines.rows import Row, failure
from pipelines.schema import SOURCES
from pipelines.sources.manifest_file import KNOWN, Manifest
from pipelines.sources.manifest_rows import source_rows
from pipelines.stages.find_clips import FindClips, failed_source
from pipelines.storage import Storage
from pipelines.tables.clips import name_row

VIDEO = "video"
"""The column with the video: a URI or path, or the bytes of a file."""
DECODE = "decode"
STAGES = tuple(stage for step in STEPS.values() for stage in step if stage != DECODE)
"""The stages after the decoder, in order."""


class AnnotateRows:
    """Finds the clips of a batch of videos and annotates them.

    Reads `video` and those columns of a manifest that are there. Writes `columns.ANNOTATED`, at
    least one row a video.

    Args:
        config: the configuration.
        root: the folder that relative addresses start from.
    """

    def __init__(self, config: Config, root: Storage) -> None:
        self.find = FindRows(config, root)
        self.annotate = Annotation(config)

    def __call__(self, batch: pa.Table) -> pa.Table:
        origins, found = self.find.rows(batch)
        rows = [self.annotate(row) for row in found]
        return beside(renamed(batch), origins, rows, ANNOTATED)


class Annotation:
    """Takes the stages after the decoder on a clip's row, and names the row.

    Args:
        config: the configuration.
        stages: names of the stages.
    """

    def __init__(self, config: Config, stages: Sequence[str] = STAGES) -> None:
        self.stages = stages
        self.window = config.clip.num_frames
        self.run = Isolated(Annotator, (config.model_dump_json(),), config.execution)

    def __call__(self, row: Row) -> Row:
        for stage in self.stages:
            if row["status"] == "ok":
                try:
                    row = self.run((stage, row), max(1.0, row["num_frames"] / self.window))
                except RowError as error:
                    row = row | failure(stage, error)
        return name_row(row)


class FindRows:
    """Finds the clips of a batch of videos. Arguments as for `AnnotateRows`."""

    def __init__(self, config: Config, root: Storage) -> None:
        self.root = root
        self.run = Isolated(Annotator, (config.model_dump_json(),), config.execution)

    def rows(self, batch: pa.Table) -> tuple[list[int], list[Row]]:
        """Returns rows of `schema.STEP`, and the row of the batch that each belongs to."""
        require(batch, [VIDEO], "annotate")
        origins: list[int] = []
        rows: list[Row] = []
        for index in range(len(batch)):
            with self._source(batch.slice(index, 1)) as source:
                found = self._clips(source)
            rows += found
            origins += [index] * len(found)
        return origins, rows

    @contextmanager
    def _source(self, row: pa.Table) -> Iterator[Row]:
        """Yields the row of `schema.SOURCES` of a row. Bytes are a file during the block."""
        given = row.select([name for name in KNOWN if name in row.column_names])
        (video,) = row[VIDEO].to_pylist()
        if not isinstance(video, bytes):
            yield self._read(given, self._relative(video))
            return
        named = given["uri"][0].as_py() if "uri" in given.column_names else None
        with tempfile.NamedTemporaryFile() as file:
            file.write(video)
            file.flush()
            source = self._read(given, file.name)
            yield source | {"source_uri": named}

    def _read(self, given: pa.Table, uri: Any) -> Row:
        others = given.drop_columns(["uri"]) if "uri" in given.column_names else given
        table = others.append_column("uri", pa.array([uri]))
        manifest = Manifest(table, [f"row of {uri}"], {})
        (source,) = source_rows(manifest, self.root.fs, self.root.root)
        return dict.fromkeys(SOURCES.names) | source

    def _relative(self, uri: Any) -> Any:
        """Returns the address of a file below the root relative to the root, as a run does."""
        prefix = f"{self.root.uri.rstrip('/')}/"
        return uri.removeprefix(prefix) if isinstance(uri, str) else uri

    def _clips(self, source: Row) -> list[Row]:
        source["source_row"] = ids.source_row_id(source)
        try:
            found: list[Row] = self.run((DECODE, source))
        except RowError as error:
            found = [failed_source(source, failure(DECODE, error)) | {"seconds": 0.0}]
        return found


class Annotator:
    """Takes one step of a source or clip, in a process of its own."""

    def __init__(self, config: str) -> None:
        read = Config.model_validate_json(config)
        find = FindClips(read.clip, read.execution.storage_options, unbounded)
        made = stages(list(STEPS), read, unbounded, "source_row")
        self.steps = {DECODE: find} | {stage.name: stage for stage in made}

    def __call__(self, item: tuple[str, Row]) -> Any:
        step, row = item
        return self.steps[step](row)
