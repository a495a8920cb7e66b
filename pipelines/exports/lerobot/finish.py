"""The metadata of an export, which concern all of its parts."""

import json
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import pyarrow as pa

from pipelines.errors import RunError
from pipelines.exports.lerobot.layout import CHUNK, LAYOUT_OF_VERSION, Layout
from pipelines.exports.lerobot.metadata import PREFIX, STATS_V21, RecordsV30, records
from pipelines.exports.lerobot.plan import Plan
from pipelines.exports.lerobot.stats import Total
from pipelines.exports.lerobot.tasks import TASKS, TASKS_V21
from pipelines.exports.lists import json_lines
from pipelines.rows import Row
from pipelines.sources.lerobot import v21, v30
from pipelines.sources.lerobot.dataset import INFO, LeRobotDataset, open_dataset
from pipelines.storage import Storage
from pipelines.versions import PACKAGE_VERSION

AUGMENTATION = "meta/augmentation.json"
STATS = "meta/stats.json"
EPISODES_V30 = v30.EPISODES + "/chunk-{chunk:03d}/file-{file:03d}.parquet"
WRITTEN = (INFO, STATS, STATS_V21, TASKS, TASKS_V21, v21.EPISODES, AUGMENTATION)
"""Metadata that an export writes. All other files of the source's meta/ are copied."""
TASK = "__index_level_0__"
TASKS_METADATA = {
    "pandas": json.dumps(
        {
            "index_columns": [TASK],
            "column_indexes": [],
            "columns": [
                {"name": name, "field_name": field, "pandas_type": kind, "numpy_type": numpy}
                | {"metadata": None}
                for name, field, kind, numpy in (
                    ("task_index", "task_index", "int64", "int64"),
                    (None, TASK, "unicode", "object"),
                )
            ],
        }
    )
}
"""Makes the texts of tasks the index of a pandas frame, by which LeRobot looks them up."""

Entries = Callable[[], Iterator[Row]]


def finish(
    source: LeRobotDataset, layout: Layout, plan: Plan, to: Storage, entries: Entries
) -> None:
    """Write the metadata of an export, and read them back.

    Args:
        entries: yields what `WritePart` yields of every episode, in order, at every call.

    Raises:
        RunError: the metadata that were read back are not those of the plan.
    """
    for name in source.storage.find("meta", ""):
        if name not in WRITTEN and not name.startswith(v30.EPISODES):
            to.write(name, source.storage.read(name))
    write = _write_v30 if layout.version == "v3.0" else _write_v21
    write(source, plan, to, entries)
    to.write_chunks(AUGMENTATION, _augmentation(source, entries()))
    to.write(INFO, _json(_info(source, layout, plan)))
    _check(plan, to)


def _write_v30(source: LeRobotDataset, plan: Plan, to: Storage, entries: Entries) -> None:
    found = records(source)
    schema = found.schema.remove_metadata() if isinstance(found, RecordsV30) else None
    total, rows = Total(), entries()
    number = 0
    while some := list(islice(rows, CHUNK)):
        chunk, file = divmod(number, CHUNK)
        place = {"meta/episodes/chunk_index": chunk, "meta/episodes/file_index": file}
        table = pa.Table.from_pylist([_flat(entry) | place for entry in some], schema)
        to.write_table(EPISODES_V30.format(chunk=chunk, file=file), table)
        for entry in some:
            total.add(entry["stats"])
        number += 1
    to.write(STATS, _json(total.result()))
    columns = {"task_index": range(len(plan.tasks)), TASK: plan.tasks}
    tasks = pa.schema([("task_index", pa.int64()), (TASK, pa.string())], TASKS_METADATA)
    to.write_table(TASKS, pa.table(columns, tasks))


def _flat(entry: Row) -> Row:
    stats = {
        f"{PREFIX}{feature}/{name}": value
        for feature, of in entry["stats"].items()
        for name, value in of.items()
    }
    return entry["row"] | stats


def _write_v21(source: LeRobotDataset, plan: Plan, to: Storage, entries: Entries) -> None:
    to.write_chunks(v21.EPISODES, json_lines(entry["row"] for entry in entries()))
    stats = (
        {"episode_index": entry["row"]["episode_index"], "stats": entry["stats"]}
        for entry in entries()
    )
    to.write_chunks(STATS_V21, json_lines(stats))
    tasks = ({"task_index": n, "task": text} for n, text in enumerate(plan.tasks))
    to.write_chunks(TASKS_V21, json_lines(tasks))


def _augmentation(source: LeRobotDataset, entries: Iterator[Row]) -> Iterator[bytes]:
    """Yields a JSON object with the origin of every episode, one a line."""
    head = {"made_by": f"strmatch {PACKAGE_VERSION}", "source_dataset": source.identity}
    yield json.dumps(head)[:-1].encode() + b', "episodes": ['
    for number, entry in enumerate(entries):
        line = json.dumps(entry["augmentation"], ensure_ascii=False)
        yield (",\n" if number else "\n").encode() + line.encode()
    yield b"\n]}\n"


def _info(source: LeRobotDataset, layout: Layout, plan: Plan) -> dict[str, Any]:
    episodes = plan.episodes
    kept = {name: value for name, value in source.info.items() if name not in LAYOUT_OF_VERSION}
    features = dict(source.features)
    for name in source.videos:
        edits = [planned.edited and planned.edited.edits.get(name) for planned in episodes]
        codecs = {edit and edit.codec for edit in edits}
        if None not in codecs:
            told = {**(features[name].get("info") or {}), "video.codec": codecs.pop()}
            features[name] = {**features[name], "info": told}
    return kept | {
        "codebase_version": layout.version,
        "features": features,
        "total_episodes": len(episodes),
        "total_frames": sum(planned.source.length for planned in episodes),
        "total_tasks": len(plan.tasks),
        "chunks_size": CHUNK,
        "splits": {"train": f"0:{len(episodes)}"},
        **layout.info(len(episodes), len(source.videos)),
    }


def _check(plan: Plan, to: Storage) -> None:
    written = open_dataset(to)
    lengths = [planned.source.length for planned in plan.episodes]
    if [episode.length for episode in written.episodes] != lengths:
        raise RunError(f"{to}: the episodes that were written have other lengths")
    files = {video.file for episode in written.episodes for video in episode.videos.values()}
    for file in sorted(files | {episode.data_file for episode in written.episodes}):
        if not to.exists(file):
            raise RunError(f"{to}: {file} is missing")


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=4, ensure_ascii=False).encode() + b"\n"
