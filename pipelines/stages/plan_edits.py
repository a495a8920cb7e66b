"""The planned edits of a file of clips."""

import json
from collections.abc import Mapping
from typing import Any

from pipelines import ids
from pipelines.causes import at
from pipelines.config.config import Config
from pipelines.editors.base import Editor, editor_settings
from pipelines.rows import Row
from pipelines.storage import Storage
from pipelines.tables.plan import Prompts, row_checksum
from pipelines.target_prompt import SEVERAL

INPUTS = [
    *("row_id", "clip_id", "source_uri", "start_seconds", "source_prompt", "targets", "mask"),
    *("objects", "num_frames", "status"),
]


class PlanEdits:
    """Plans clips of one file: reads `file` and `clip_rows`, and returns rows of `schema.PLAN`.

    Args:
        output: the run's folder.
        config: the run's configuration.
        editor: the editor's class.
        revision: revision of the editor's weights.
        kept: as for `PlanClip`.
    """

    def __init__(
        self,
        output: Storage,
        config: Config,
        editor: type[Editor],
        revision: str,
        kept: Mapping[str, list[Prompts]],
    ) -> None:
        self.output = output
        self.plan = PlanClip(config, editor, revision, kept)

    def __call__(self, row: Row) -> list[Row]:
        chosen = [("row_id", "in", row["clip_rows"])]
        with at("planning", row["file"]):
            there = self.output.read_schema(row["file"]).names  # files of older outputs lack some
            columns = [name for name in INPUTS if name in there]
            clips = self.output.read_table(row["file"], columns, chosen).to_pylist()
            return [edit for clip in clips for edit in self.plan(clip, row["file"])]


class PlanClip:
    """Plans a clip: reads a row with the columns `INPUTS`, and returns rows of `schema.PLAN`.

    A clip that is not ok has no row.

    Args:
        config: the run's configuration.
        editor: the editor's class.
        revision: revision of the editor's weights.
        kept: the prompts of the clips in the existing plan, by the clip's row_id.
    """

    def __init__(
        self,
        config: Config,
        editor: type[Editor],
        revision: str,
        kept: Mapping[str, list[Prompts]],
    ) -> None:
        self.kept = kept
        self.seed = config.seed
        self.stochastic = editor.stochastic
        self.revision = revision
        self.editor: dict[str, Any] = {
            "name": config.editor,
            "crf": config.clip.crf,
            "dtype": config.backbone.dtype,
            "settings": ids.without_later_settings(editor_settings(editor, config)),
        }

    def __call__(self, clip: Row, file: str | None = None) -> list[Row]:
        """Returns the planned edits of a clip, which lies in `file` below the output."""
        if clip["status"] != "ok":
            return []
        return [
            self._edit(clip | {"source_prompt": source}, target, file)
            for source, target in self._targets(clip)
        ]

    def _targets(self, clip: Row) -> list[tuple[str, Row]]:
        """Returns source prompts and targets. Prompts written by hand have no further columns."""
        derived = {
            Prompts(clip["source_prompt"], t["prompt"], t.get("where") or "subject"): t
            for t in clip["targets"]
        }
        return [
            (kept.source, derived.get(kept, {"prompt": kept.target}) | {"where": kept.where})
            for kept in self.kept.get(clip["row_id"], list(derived))
        ]

    def _edit(self, clip: Row, target: Row, file: str | None) -> Row:
        seed = self.seed if self.stochastic else None
        edits, where = target.get("edits") or [], target["where"]
        planned = {
            "edit_id": ids.edit_id(
                clip, target["prompt"], self.editor, self.revision, seed, where, edits
            ),
            "clip_row": clip["row_id"],
            "clip_file": file,
            "num_frames": clip["num_frames"],
            "clip_id": clip["clip_id"],
            "source_uri": clip["source_uri"],
            "start_seconds": clip["start_seconds"],
            "source_prompt": clip["source_prompt"],
            "target_prompt": target["prompt"],
            "target_kind": SEVERAL if edits else target.get("kind"),
            "source_word": target.get("source_word"),
            "target_word": target.get("target_word"),
            "target_distance": target.get("distance"),
            "target_where": where,
            "edit_list": json.dumps(edits) if edits else None,
            "seed": self.seed,
        }
        return planned | {"row_checksum": row_checksum(planned)}
