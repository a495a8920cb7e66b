"""The edits of a clip, made by one editor that stays loaded."""

import time
from functools import partial

from pipelines import telemetry
from pipelines.causes import cause
from pipelines.config.config import Config
from pipelines.editors.base import Editor
from pipelines.editors.multi_target import MultiTargetEditor
from pipelines.errors import RunError
from pipelines.reliability.deadline import Deadline
from pipelines.reliability.isolated_process import DeadlineExceeded, IsolatedProcess, ProcessDied
from pipelines.rows import Row
from pipelines.storage import Storage
from pipelines.tables.clips import read_clip
from pipelines.tables.edits import EDITS_FOLDER, commit_edits


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
    """Edits clips and commits the edits, in a process of its own: see `MultiTargetEditor`."""

    def __init__(
        self,
        config: Config,
        output: Storage,
        editor: type[Editor],
        revision: str,
        folder: str = EDITS_FOLDER,
    ) -> None:
        self.output = output
        self.folder = folder
        self.editor = MultiTargetEditor(config, editor, revision)

    def __call__(self, work: Row) -> tuple[Row, list[float]]:
        """Commits the edits of an item; returns its counts, and the seconds of every edit."""
        read = partial(read_clip, self.output, work["clip_file"], work["clip_row"])
        rows = self.editor(work, read)
        committed = commit_edits(self.output, rows, self.folder)
        return committed, [row["seconds"] for row in rows if "seconds" in row]
