"""The files of edits that EDIT commits, one per clip, and the edits that have no file yet.

The first tries of edits lie in edits/, further tries in folders below, one per rung. Functions take
the edits of a rung as a table with the columns of the plan, in which `edit_id` identifies a try.
"""

from collections.abc import Collection, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.config.config import Config
from pipelines.config.windows import count_windows
from pipelines.ids import content_id
from pipelines.rows import Row
from pipelines.schema import EDITS, rows_table, unique
from pipelines.storage import Storage
from pipelines.tables.commit import commit
from pipelines.tables.plan import by_clip

EDITS_FOLDER = "edits"


def edits_folder(rung: int) -> str:
    """Returns the folder of the tries of a rung, below the output."""
    return f"{EDITS_FOLDER}/try-{rung}" if rung else EDITS_FOLDER


def commit_edits(output: Storage, edits: list[Row], folder: str = EDITS_FOLDER) -> Row:
    """Write the edits of a clip as one file, whose name is a hash of their ids.

    Args:
        edits: rows of `schema.EDITS`.
        folder: see `edits_folder`.

    Returns:
        Counts, as `tables.commit` returns them.
    """
    name = edits_file([edit["edit_id"] for edit in edits], folder)
    return commit(output, name, rows_table(edits, EDITS), "edit_id")


def edits_name(edit_ids: Collection[str]) -> str:
    """Returns a hash that identifies a set of edits."""
    return content_id(edits=sorted(edit_ids))


def edits_file(edit_ids: Collection[str], folder: str = EDITS_FOLDER) -> str:
    """Returns the file that holds exactly these edits, below the output."""
    return f"{folder}/{edits_name(edit_ids)}.parquet"


EDITOR_INPUTS = ("edit_id", "target_prompt", "target_where", "edit_list", "seed")
"""The columns of the plan that an editor reads."""


EDIT_FILES = pa.schema(
    [
        ("edit_id", pa.string()),
        ("file", pa.string()),
        ("size", pa.int64()),
        ("bytes", pa.float64()),
    ]
)
"""The file of an edit below the output, the size of the file, and the edit's share of its bytes."""


CLIPS_PER_LOOKUP = 10_000
"""Clips whose edit ids are Python objects at the same time."""


def pending_edits(
    output: Storage, plan: pa.Table, config: Config, folder: str = EDITS_FOLDER
) -> pa.Table:
    """Returns the planned edits that a folder lacks, one row per clip.

    The column `edits` identifies the edits of a clip, see `edits_name`. `windows` is the number of
    windows of the clip. The clips with the most windows to edit come first, so that editors that
    work in parallel end at about the same time (longest processing time first, Graham 1969). Clips
    with as many have the order of the plan.

    Args:
        plan: the planned edits.
        config: the configuration of the editor.
        folder: see `edits_folder`.
    """
    done = committed(output, plan, folder)
    left = plan.filter(pc.invert(pc.is_in(plan["edit_id"], done["edit_id"])))
    clips = by_clip(left, EDITOR_INPUTS)
    lengths = clips["num_frames"]
    batches = clips.select(["edit_ids"]).to_batches(CLIPS_PER_LOOKUP)
    names = [edits_name(ids) for some in batches for ids in some["edit_ids"].to_pylist()]
    counts = {length: count_windows(config, length) for length in pc.unique(lengths).to_pylist()}
    windows = np.array([counts[length] for length in lengths.to_pylist()], np.int32)
    clips = clips.append_column("edits", pa.array(names, pa.string()))
    clips = clips.append_column("windows", pa.array(windows))
    work = windows * pc.list_value_length(clips["edit_ids"]).to_numpy()
    return clips.take(pa.array(np.argsort(-work, kind="stable")))


def committed(output: Storage, plan: pa.Table, folder: str = EDITS_FOLDER) -> pa.Table:
    """Returns every committed edit of a folder once, as a table of `EDIT_FILES`.

    Args:
        plan: the planned edits, for the names of their files.
        folder: see `edits_folder`.
    """
    sizes = output.sizes(folder, ".parquet")
    tables = [EDIT_FILES.empty_table()]
    # Most files hold all edits of a clip, and are identified by name without being read.
    for clips in by_clip(plan, ["edit_id"]).to_batches(CLIPS_PER_LOOKUP):
        named = ((edits_file(ids, folder), ids) for ids in clips["edit_ids"].to_pylist())
        found = (_held(name, ids, sizes.pop(name)) for name, ids in named if name in sizes)
        tables.append(rows_table([row for rows in found for row in rows], EDIT_FILES))
    for name, size in sizes.items():
        ids = output.read_table(name, ["edit_id"])["edit_id"].to_pylist()
        tables.append(rows_table(_held(name, ids, size), EDIT_FILES))
    return unique(pa.concat_tables(tables), "edit_id")


def _held(name: str, edit_ids: list[str], size: int) -> list[Row]:
    """Returns the edits of a file as rows of `EDIT_FILES`."""
    each = size / len(edit_ids)
    held = {"file": name, "size": size, "bytes": each}
    return [{"edit_id": edit_id} | held for edit_id in edit_ids]


def read_ok_edits(
    output: Storage,
    file: str,
    edit_ids: Sequence[str],
    columns: Sequence[str] = ("edit_id", "edited_video"),
) -> list[Row]:
    """Returns those of the edits in a file that are ok."""
    chosen = [("status", "=", "ok"), ("edit_id", "in", edit_ids)]
    return output.read_table(file, list(columns), chosen).to_pylist()
