"""Edits of a clip to all its targets, by one editor that stays loaded."""

import gc
import json
import logging
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from pipelines.config.config import Config
from pipelines.editors.base import Editor, Region, build_editor, made_by
from pipelines.errors import RowError
from pipelines.media.encode import decode_video, encode_video
from pipelines.media.regions import Edits, Regions
from pipelines.rows import Row, failure
from strmatch.metrics.base import Where

log = logging.getLogger(__name__)


class MultiTargetEditor:
    """Edits clips to their targets, with one inversion a clip.

    A target that is the caption fails its edit, with `TargetIsCaption`. So does an exception during
    an edit. An exception during the inversion fails all edits of the clip. `error_type` is the
    exception's class, or a type of `check_frames`. A clip that exceeds the GPU's memory is repeated
    with a lean editor, which also edits all later clips.

    Args:
        config: the configuration of the editor.
        editor: the editor's class.
        revision: revision of the editor's weights.
    """

    def __init__(self, config: Config, editor: type[Editor], revision: str) -> None:
        self.config = config
        self.editor_class = editor
        self.editor = build_editor(editor, config)
        self.made_by = made_by(config, editor, revision)

    def __call__(self, work: Row, read: Callable[[], Row]) -> list[Row]:
        """Returns rows of `schema.EDITS`, one a target.

        Args:
            work: source_prompt, and the lists edit_ids, target_prompts, target_wheres, edit_lists
                and seeds.
            read: returns the clip with source_video, mask, objects, fps and timestamps. An
                exception fails all edits.
        """
        try:
            edits = self._edit_all(work, read)
        except _TooLarge:
            edits = None  # the exception still references the memory
        if edits is None:
            self._go_lean()
            edits = self._edit_all(work, read)
        return [self.made_by | edit for edit in edits]

    def _edit_all(self, work: Row, read: Callable[[], Row]) -> list[Row]:
        started = time.perf_counter()
        lists = ("edit_ids", "target_prompts", "target_wheres", "edit_lists", "seeds")
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
            clip = read()
            # Files of older outputs have no timestamps.
            timing = clip["fps"], self.config.clip.crf, clip.get("timestamps")
            frames, regions = decode_video(clip["source_video"]), Regions(clip)
            inversion = self.editor.invert(frames, work["source_prompt"])
        except Exception as error:
            failed = self._failure(error)
            return edits + [{"edit_id": edit_id, **failed} for edit_id, *_ in wanted]
        shared = time.perf_counter() - started
        for edit_id, target, where, edit_list, seed in wanted:
            started = time.perf_counter()
            try:
                parts = json.loads(edit_list or "[]")
                edited = self._edit(inversion, regions, target, where, parts, seed)
                check_frames(edited, frames.shape)
                video = encode_video(edited, *timing)
                outcome: Row = {"status": "ok", "edited_video": video}
            except Exception as error:
                outcome = self._failure(error)
            seconds = time.perf_counter() - started + shared / len(wanted)
            outcome |= {"edit_id": edit_id, "seconds": seconds, "inversion_seconds": shared}
            outcome["edit_where"] = "all" if clip["mask"] is None else where
            outcome["unread_prompt"] = self._unread(target) or self._unread(work["source_prompt"])
            edits.append(outcome)
        return edits

    def _edit(
        self, inversion: Any, places: Regions, target: str, where: Where, edits: Edits, seed: int
    ) -> Any:
        """Returns the edited frames. The background is behind the objects, the subject in front."""
        if edits and hasattr(self.editor, "edit_regions"):
            ordered = [*reversed(edits)]
            ordered.sort(key=lambda each: each["object"] is not None)
            prompts = [each["prompt"] for each in ordered]
            regions = [*map(Region, places.of_each(ordered), prompts)]
            return self.editor.edit_regions(inversion, target, regions, seed)
        return self.editor.edit(inversion, target, places.of_edit(where, edits), seed)

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
