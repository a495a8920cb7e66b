"""A clip's edits, made by one editor that stays loaded."""

import gc
import logging
import time
from functools import partial

from pipelines import telemetry
from pipelines.config.config import Config
from pipelines.editors.base import Editor, build_editor, made_by
from pipelines.errors import RowError
from pipelines.media import masks
from pipelines.media.encode import encode_video
from pipelines.media.video import decode_video
from pipelines.reliability.deadline import Deadline
from pipelines.reliability.isolated_process import DeadlineExceeded, IsolatedProcess, ProcessDied
from pipelines.rows import Row, failure
from pipelines.storage import Storage
from pipelines.tables.clips import read_clip
from pipelines.tables.edits import commit_edits

log = logging.getLogger(__name__)


class EditClip:
    """Edits a clip to all its targets in a process of its own, and commits the results as one file.

    Reads a work item: clip_file, clip_row, source_prompt, edit_ids, target_prompts, seeds. Writes
    rows of `schema.EDITS` to edits/, see `ClipEditor`. What the process dies of is left for the
    pass in which a deadline leaves marks; there it has `execution.attempts`.

    Args:
        config: the run's.
        output: where clips are read and edits written.
        editor: the editor's class.
        revision: the weights that the plan was made for.
        deadline: its deadline holds for a clip with all its edits.
    """

    def __init__(
        self,
        config: Config,
        output: Storage,
        editor: type[Editor],
        revision: str,
        deadline: Deadline,
    ) -> None:
        self.attempts = config.execution.attempts if deadline.isolate else 1
        self.deadline = deadline
        self.child = IsolatedProcess(ClipEditor, (config, output, editor, revision))

    def __call__(self, work: Row) -> list[Row]:
        """What became of the clip's edits; nothing where they are not done."""
        for index in range(self.attempts):
            note = partial(self.deadline.note, work["clip_row"], f"{self.deadline.attempt}-{index}")
            if self.deadline.isolate:
                note(stage="edit")
            began = time.time()
            try:
                done, seconds = self.child(work, self.deadline.seconds)
            except ProcessDied:
                if self.deadline.isolate:
                    note(stage="edit", died=True)
            except DeadlineExceeded:
                note(stage="edit", late=True)
                break
            else:
                for each in seconds:
                    telemetry.record_seconds("edit", each)
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
        self.editor_class = editor
        self.editor = build_editor(editor, config)
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
        self.editor = build_editor(self.editor_class, self.config)


class _TooLarge(Exception):
    """A clip that needs a lean editor."""
