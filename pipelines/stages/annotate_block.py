"""Runs the stages of a later annotation job on a block of clips, and commits the block."""

import os
from collections.abc import Sequence

import pyarrow as pa

from pipelines.causes import at
from pipelines.plugins import InWorker
from pipelines.stages.base import Stage
from pipelines.tables.clips import COMMITTED, CommitClips, read_found


class AnnotateBlock:
    """Passes every clip of a block through the stages, and commits the block as one file.

    Reads the columns `file` and `found_row`. Returns a row of `tables.clips.COMMITTED`.

    Args:
        stages: called in order with a row that includes its video.
        commit: writes the rows.
        model: loaded before the first block, in a worker of a pool.
        threads: CPU threads of the model.
    """

    def __init__(
        self,
        stages: Sequence[Stage],
        commit: CommitClips,
        model: InWorker | None = None,
        threads: int = 1,
    ) -> None:
        self.stages = stages
        self.commit = commit
        if model:
            os.environ["OMP_NUM_THREADS"] = str(threads)  # before torch is imported
            model.load()

    def __call__(self, clips: pa.Table) -> pa.Table:
        places = zip(clips["file"].to_pylist(), clips["found_row"].to_pylist(), strict=True)
        with at("annotation", f"{clips['file'][0]} and later files"):
            rows = read_found(self.commit.output, places)
            for stage in self.stages:
                rows = [stage(row) for row in rows]
            return pa.Table.from_pylist([self.commit.commit(rows)], COMMITTED)
