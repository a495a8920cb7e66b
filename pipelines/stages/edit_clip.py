"""The edits of a clip, made by one editor that stays loaded."""

import gc
import logging
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from pipelines import telemetry
from pipelines.causes import cause
from pipelines.config.config import Config
from pipelines.editors.base import Editor, build_editor, made_by
from pipelines.errors import RowError, RunError
from pipelines.media import masks
from pipelines.media.encode import decode_video, encode_video
from pipelines.reliability.deadline import Deadline
from pipelines.reliability.isolated_process import DeadlineExceeded, IsolatedProcess, ProcessDied
from pipelines.rows import Row, failure
from pipelines.storage import Storage
from pipelines.tables.clips import read_clip
from pipelines.tables.edits import EDITS_FOLDER, commit_edits

log = logging.getLogger(__name__)


class EditClip:
    """Edits a clip to all its targets in a process of its own, and commits the results as one file.

    Reads an item: clip_file, clip_row, source_prompt, windows, edits, and the lists edit_ids,
    target_prompts, target_wheres and seeds. Writes rows of `schema.EDITS`, see `ClipEditor`. An
    item whose process dies has no result, and is repeated in the pass with `deadline.isolate`, at
    most `execution.attempts` times.

    Args:
        config: the configuration of the editor.
        output: where clips are read and edits are written.
        editor: the editor's class.
        revision: revision of the weights in the plan.
        deadline: bounds the duration of a clip with all its edits, by the number of its windows.
        folder: where edits are written, below the output.
    """

    def __init__(
        self,
        config: Config,
        output: Storage,
        editor: type[Editor],
        revision: str,
        deadline: Deadline,
        folder: str,
    ) -> None:
        self.attempts = config.execution.attempts if deadline.isolate else 1
        self.deadline = deadline
        self.process = IsolatedProcess(ClipEditor, (config, output, editor, revision, folder))

    def __call__(self, work: Row) -> list[Row]:
        """Returns one row: counts, `began`, `ended` and `windows`. No row without a result."""
        for index in range(self.attempts):
            attempt = f"{self.deadline.attempt}-{index}"
            record = partial(self.deadline.record, work["edits"], attempt)
            if self.deadline.isolate:
                record(stage="edit")
            began = time.time()
            try:
                done, seconds = self.process(work, self.deadline.seconds * work["windows"])
            except ProcessDied:
                if self.deadline.isolate:
                    record(stage="edit", died=True)
            except DeadlineExceeded:
                record(stage="edit", late=True)
                break
            except Exception as error:
                raise RunError(f"edit of clip {work['clip_row']}: {cause(error)}") from error
            else:
                for each in seconds:
                    telemetry.record_seconds("edit", each)
                times = {"began": began, "ended": time.time(), "windows": work["windows"]}
                return [done | times]
        return []


class ClipEditor:
    """Edits clips, in a process of its own.

    A target that is the caption fails its edit, with `TargetIsCaption`. So does an exception during
    an edit. An exception during the inversion fails all edits of the clip. `error_type` is the
    exception's class, or a type of `check_frames`. A clip that exceeds the GPU's memory is repeated
    with a lean editor, which also edits all later clips.
    """

    def __init__(
        self,
        config: Config,
        output: Storage,
        editor: type[Editor],
        revision: str,
        folder: str = EDITS_FOLDER,
    ) -> None:
        self.config = config
        self.output = output
        self.folder = folder
        self.editor_class = editor
        self.editor = build_editor(editor, config)
        self.made_by = made_by(config, editor, revision)

    def __call__(self, work: Row) -> tuple[Row, list[float]]:
        """Commits the edits of an item; returns its counts, and the seconds of every edit."""
        try:
            edits = self._edit_all(work)
        except _TooLarge:
            edits = None  # the exception still references the memory
        if edits is None:
            self._go_lean()
            edits = self._edit_all(work)
        rows = [self.made_by | edit for edit in edits]
        committed = commit_edits(self.output, rows, self.folder)
        return committed, [edit["seconds"] for edit in edits if "seconds" in edit]

    def _edit_all(self, work: Row) -> list[Row]:
        started = time.perf_counter()
        lists = ("edit_ids", "target_prompts", "target_wheres", "seeds")
        wanted = list(zip(*(work[name] for name in lists), strict=True))
        edits = [
            {"edit_id": edit_id, **self._failure(_equal(target))}
            for edit_id, target, *_ in wanted
            if _plain(target) == _plain(work["source_prompt"])
        ]
        refused = {edit["edit_id"] for edit in edits}
        wanted = [each for each in wanted if each[0] not in refused]
        if not wanted:
            return edits
        try:
            clip = read_clip(self.output, work["clip_file"], work["clip_row"])
            # Files of older outputs have no timestamps.
            timing = clip["fps"], self.config.clip.crf, clip.get("timestamps")
            mask = None if clip["mask"] is None else masks.decode(clip["mask"])
            frames = decode_video(clip["source_video"])
            inversion = self.editor.invert(frames, work["source_prompt"])
        except Exception as error:
            failed = self._failure(error)
            return edits + [{"edit_id": edit_id, **failed} for edit_id, *_ in wanted]
        shared = time.perf_counter() - started
        for edit_id, target, where, seed in wanted:
            started = time.perf_counter()
            try:
                edited = self.editor.edit(inversion, target, masks.region(mask, where), seed)
                check_frames(edited, frames.shape)
                video = encode_video(edited, *timing)
                outcome: Row = {"status": "ok", "edited_video": video}
            except Exception as error:
                outcome = self._failure(error)
            seconds = time.perf_counter() - started + shared / len(wanted)
            outcome |= {"edit_id": edit_id, "seconds": seconds, "inversion_seconds": shared}
            outcome["edit_where"] = "all" if mask is None else where
            outcome["unread_prompt"] = self._unread(target) or self._unread(work["source_prompt"])
            edits.append(outcome)
        return edits

    def _unread(self, prompt: str) -> str | None:
        unread: Callable[[str], str | None] | None = getattr(self.editor, "unread", None)
        return unread(prompt) if unread else None

    def _failure(self, error: Exception) -> Row:
        """Returns the outcome columns of a failed edit.

        Raises:
            _TooLarge: the GPU's memory was exceeded, and a lean editor may succeed.
        """
        # An editor without torch does not raise torch's errors. The import takes seconds.
        torch = sys.modules.get("torch")
        if torch is None or not isinstance(error, torch.OutOfMemoryError):
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


def _plain(prompt: str) -> str:
    """Returns the words of a prompt as a comparison sees them."""
    return " ".join(prompt.casefold().split()).rstrip(" .!")


def _equal(target: str) -> RowError:
    message = f"the target is the caption, {target!r}: nothing is to be edited"
    return RowError("TargetIsCaption", message)


def check_frames(edited: Any, shape: tuple[int, ...]) -> None:
    """Check the frames that an editor returned.

    Args:
        edited: the result of `Editor.edit`.
        shape: (f, H, W, 3) of the clip.

    Raises:
        RowError: `NotFinite` for NaN or infinite values, `BadFrames` for anything else that is not
            a uint8 array of the clip's shape.
    """
    if not isinstance(edited, np.ndarray):
        found = type(edited).__name__
    elif edited.dtype.kind in "fc" and not np.isfinite(edited).all():
        raise RowError("NotFinite", "the editor returned frames with NaN or infinite values")
    elif edited.dtype == np.uint8 and edited.shape == shape:
        return
    else:
        found = f"{edited.dtype} {edited.shape}"
    raise RowError("BadFrames", f"the editor returned {found}, not uint8 {shape} like the clip")


class _TooLarge(Exception):
    """A clip exceeds the memory of the GPU, and needs a lean editor."""
