"""Edits of annotated clips."""

from typing import Any

import pyarrow as pa

from pipelines.config.config import Config
from pipelines.config.windows import count_windows
from pipelines.editors.base import Editor, made_by
from pipelines.editors.multi_target import MultiTargetEditor
from pipelines.errors import RowError
from pipelines.ray_data.columns import ANNOTATED, beside, require
from pipelines.ray_data.isolated import Isolated
from pipelines.rows import Row, failure
from pipelines.schema import DATASET
from pipelines.stages.plan_edits import PlanClip
from pipelines.stages.write_part import edit_row
from pipelines.storage import Storage
from pipelines.tables.edits import commit_edits, edits_file
from pipelines.tables.plan import PLANNED_EDIT
from pipelines.versions import PACKAGE_VERSION


class EditRows:
    """Edits a batch of annotated clips to all their targets.

    Reads `columns.ANNOTATED`. Writes `schema.DATASET`: one row per clip and target. A clip that is
    not ok stays one row.

    Args:
        config: the configuration of the editor.
        editor: the editor's class.
        revision: revision of the editor's weights.
        cache: keeps edits. An edit that the cache holds is not made.
    """

    def __init__(
        self, config: Config, editor: type[Editor], revision: str, cache: Storage | None
    ) -> None:
        self.config = config
        self.cache = cache
        self.plan = PlanClip(config, editor, revision, {})
        self.made_by = made_by(config, editor, revision)
        made = (config.model_dump_json(), editor, revision)
        self.run = Isolated(RowEditor, made, config.execution)

    def __call__(self, batch: pa.Table) -> pa.Table:
        require(batch, ANNOTATED.names, "edit")
        clips = batch.select(ANNOTATED.names).to_pylist()
        found = [self._rows(clip) for clip in clips]
        origins = [index for index, rows in enumerate(found) for _ in rows]
        return beside(batch, origins, [row for rows in found for row in rows], DATASET)

    def _rows(self, clip: Row) -> list[Row]:
        planned = self.plan(clip)
        if not planned:
            return [clip | {"package_version": PACKAGE_VERSION}]
        edits = {edit["edit_id"]: edit for edit in self._edits(clip, planned)}
        told = [{name: each[name] for name in ("source_prompt", *PLANNED_EDIT)} for each in planned]
        return [edit_row(clip, edits[each["edit_id"]] | {"edit_try": 0}, each) for each in told]

    def _edits(self, clip: Row, planned: list[Row]) -> list[Row]:
        edit_ids = [each["edit_id"] for each in planned]
        file = edits_file(edit_ids)
        if self.cache and self.cache.exists(file):
            return self.cache.read_table(file).to_pylist()
        work: Row = {"source_prompt": clip["source_prompt"], "edit_ids": edit_ids}
        for name in ("target_prompt", "target_where", "edit_list", "seed"):
            work[f"{name}s"] = [each[name] for each in planned]
        try:
            edits: list[Row] = self.run(
                (work, clip), count_windows(self.config, clip["num_frames"])
            )
        except RowError as error:
            failed = self.made_by | failure("edit", error)
            return [failed | {"edit_id": edit_id} for edit_id in edit_ids]
        if self.cache and all(edit["status"] == "ok" for edit in edits):
            commit_edits(self.cache, edits)
        return edits


class RowEditor:
    """Edits a clip that is given by its row, in a process of its own."""

    def __init__(self, config: str, editor: type[Editor], revision: str) -> None:
        self.editor = MultiTargetEditor(Config.model_validate_json(config), editor, revision)

    def __call__(self, item: tuple[Row, Row]) -> Any:
        work, clip = item
        return self.editor(work, lambda: clip)
