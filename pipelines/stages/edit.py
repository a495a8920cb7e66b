"""A clip's edits, made by one editor that stays loaded."""

import dataclasses
import gc
import json
import logging
import time
from collections.abc import Collection
from functools import partial
from typing import Any, ClassVar, Protocol

import numpy as np

from pipelines import masks, telemetry
from pipelines.child import Child, Died, Late
from pipelines.clips import with_videos
from pipelines.config import Config
from pipelines.encode import encode_video
from pipelines.errors import ConfigError, RowError
from pipelines.ids import content_id
from pipelines.schema import EDITS, rows_table
from pipelines.stages.base import Row, failure, outcome
from pipelines.storage import Storage
from pipelines.version import PACKAGE_VERSION
from pipelines.video import decode_video
from pipelines.watch import Watch

log = logging.getLogger(__name__)


class Editor(Protocol):
    """Edits clips. Built once in each worker, and once more with `execution.memory` lean where it
    raised torch's OutOfMemoryError. See also `editor_settings`."""

    stochastic: ClassVar[bool]
    """Whether a seed changes the result."""

    def __init__(self, config: Config) -> None: ...

    @classmethod
    def revision(cls, config: Config) -> str:
        """Names the weights without loading them: equal weights, equal revision."""
        ...

    def invert(self, frames: np.ndarray, source_prompt: str) -> Any:
        """What all edits of a clip share. Frames are uint8 (f, H, W, 3)."""
        ...

    def edit(
        self, inversion: Any, target_prompt: str, mask: np.ndarray | None, seed: int
    ) -> np.ndarray:
        """Edited frames uint8 (f, H, W, 3); mask is bool (f, H, W) or None."""
        ...


class BackboneEditor:
    """What editors on the configured backbone have in common."""

    @staticmethod
    def load_backbone(config: Config) -> Any:
        """The backbone, in a process with the configured number of threads."""
        import torch

        from strmatch import load_backbone

        if config.execution.torch_threads:
            torch.set_num_threads(config.execution.torch_threads)
        dtype = None if config.backbone.dtype == "auto" else getattr(torch, config.backbone.dtype)
        return load_backbone(
            config.backbone.weights, dtype=dtype, compiled=config.execution.compiled
        )

    @classmethod
    def revision(cls, config: Config) -> str:
        from strmatch.backbones.loading import weights_folder, weights_revision

        return weights_revision(weights_folder(config.backbone.weights))


class STRMatchEditor(BackboneEditor):
    """`strmatch.STRMatch`."""

    stochastic: ClassVar[bool] = False

    def __init__(self, config: Config) -> None:
        from strmatch import EditSettings, STRMatch

        settings = EditSettings(**dataclasses.asdict(config.edit))
        backbone = self.load_backbone(config)
        self.editor = STRMatch(backbone, settings, memory=config.execution.memory)

    @classmethod
    def settings(cls, config: Config) -> dict[str, Any]:
        if config.editor_options:
            raise ConfigError("editor_options: str_match has none, its settings are those of edit")
        return dataclasses.asdict(config.edit)

    def invert(self, frames: np.ndarray, source_prompt: str) -> Any:
        return self.editor.invert(frames, source_prompt)

    def edit(
        self, inversion: Any, target_prompt: str, mask: np.ndarray | None, seed: int
    ) -> np.ndarray:
        return self.editor.edit(inversion, target_prompt, mask=mask).frames


class EditClip:
    """Edits a clip to all its targets in a process of its own, and commits the results as one file.

    Reads a work item: clip_file, clip_row, source_prompt, edit_ids, target_prompts, seeds. Writes
    rows of `schema.EDITS` to edits/, see `ClipEditor`. What the process dies of is left for the
    pass in which a watch leaves marks; there it has `execution.attempts`.

    Args:
        config: the run's.
        output: where clips are read and edits written.
        editor: the editor's class.
        revision: the weights that the plan was made for.
        watch: its deadline holds for a clip with all its edits.
    """

    def __init__(
        self, config: Config, output: Storage, editor: type[Editor], revision: str, watch: Watch
    ) -> None:
        self.attempts = config.execution.attempts if watch.marks else 1
        self.watch = watch
        self.child = Child(ClipEditor, (config, output, editor, revision))

    def __call__(self, work: Row) -> list[Row]:
        """What became of the clip's edits; nothing where they are not done."""
        for index in range(self.attempts):
            note = partial(self.watch.note, work["clip_row"], f"{self.watch.attempt}-{index}")
            if self.watch.marks:
                note(stage="edit")
            began = time.time()
            try:
                done, seconds = self.child(work, self.watch.seconds)
            except Died:
                if self.watch.marks:
                    note(stage="edit", died=True)
            except Late:
                note(stage="edit", late=True)
                break
            else:
                for each in seconds:
                    telemetry.took("edit", each)
                return [done | {"began": began, "ended": time.time()}]
        return []


class ClipEditor:
    """What a process does that edits clips.

    An exception of the editor fails the edit it came from, one of the inversion all edits of the
    clip; the reason is the exception's class. A clip that the GPU's memory does not hold is edited
    anew by a lean editor, which serves those after it as well.
    """

    def __init__(
        self, config: Config, output: Storage, editor: type[Editor], revision: str
    ) -> None:
        self.config = config
        self.output = output
        self.make_editor = editor
        self.editor = editor(config)
        self.made_by = made_by(config, editor, revision)

    def __call__(self, work: Row) -> tuple[Row, list[float]]:
        """Commits the edits; returns what became of them, and the seconds of each that was made."""
        try:
            edits = self._edit_all(work)
        except _TooLarge:
            edits = None  # the exception still holds the memory
        if edits is None:
            self._go_lean()
            edits = self._edit_all(work)
        committed = commit_edits(self.output, [self.made_by | edit for edit in edits])
        return committed, [edit["seconds"] for edit in edits if "seconds" in edit]

    def _edit_all(self, work: Row) -> list[Row]:
        started = time.perf_counter()
        try:
            clip = read_clip(self.output, work["clip_file"], work["clip_row"])
            mask = None if clip["mask"] is None else masks.decode(clip["mask"])
            frames = decode_video(clip["source_video"])
            inversion = self.editor.invert(frames, work["source_prompt"])
        except Exception as error:
            failed = self._failure(error)
            return [{"edit_id": e, **failed} for e in work["edit_ids"]]
        shared = time.perf_counter() - started
        edits = []
        for edit_id, target, seed in zip(
            work["edit_ids"], work["target_prompts"], work["seeds"], strict=True
        ):
            started = time.perf_counter()
            try:
                edited = self.editor.edit(inversion, target, mask, seed)
                video = encode_video(edited, clip["fps"], self.config.clip.crf)
                outcome: Row = {"status": "ok", "edited_video": video}
            except Exception as error:
                outcome = self._failure(error)
            seconds = time.perf_counter() - started + shared / len(work["edit_ids"])
            outcome |= {"edit_id": edit_id, "seconds": seconds, "inversion_seconds": shared}
            edits.append(outcome)
        return edits

    def _failure(self, error: Exception) -> Row:
        """What failed, unless a lean editor may still do it."""
        from torch import OutOfMemoryError

        if not isinstance(error, OutOfMemoryError):
            return failure("edit", error)
        if self.config.execution.memory == "normal":
            raise _TooLarge from error
        message = (
            "the GPU's memory does not hold the clip, even with execution.memory=lean: take a "
            "larger GPU, one editor a GPU, or smaller clips"
        )
        return failure("edit", RowError("OutOfMemory", message))

    def _go_lean(self) -> None:
        log.warning("out of memory: editing with execution.memory=lean from here on")
        execution = self.config.execution.model_copy(update={"memory": "lean"})
        self.config = self.config.model_copy(update={"execution": execution})
        del self.editor
        gc.collect()
        self.editor = self.make_editor(self.config)


class _TooLarge(Exception):
    """A clip that needs a lean editor."""


def editor_settings(editor: type[Editor], config: Config) -> dict[str, Any]:
    """The settings that an edit depends on: recorded with it, and part of its id.

    An editor's class method `settings(config)` says them; of others they are all of `edit` with
    `editor_options` on top.

    Raises:
        ConfigError: by such a method, where the configuration has settings that cannot be.
    """
    if hasattr(editor, "settings"):
        return editor.settings(config)
    return dataclasses.asdict(config.edit) | config.editor_options


def made_by(config: Config, editor: type[Editor], revision: str) -> Row:
    """The columns of an edit that say what made it."""
    return {
        "editor": config.editor,
        "editor_settings": json.dumps(editor_settings(editor, config)),
        "model_revision": revision,
        "package_version": PACKAGE_VERSION,
    }


def commit_edits(output: Storage, edits: list[Row]) -> Row:
    """Write the edits of a clip as one file, named by them; returns what became of them."""
    name = edits_file([edit["edit_id"] for edit in edits])
    return outcome(edits, "edit_id") | {
        "problem": output.commit_table(name, rows_table(edits, EDITS))
    }


def edits_file(edit_ids: Collection[str]) -> str:
    """The file that holds exactly these edits, below the output."""
    return f"edits/{content_id(edits=sorted(edit_ids))}.parquet"


def read_clip(output: Storage, file: str, row_id: str) -> Row:
    """One row of a clips file, with its video."""
    table = output.read_table(file, filters=[("row_id", "=", row_id)])
    if not len(table):
        raise FileNotFoundError(f"{file} does not hold clip {row_id}")
    return with_videos(output, table.slice(0, 1).to_pylist())[0]
