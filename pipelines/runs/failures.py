"""The failed and rejected rows of a run, and the removal of failed ones, to repeat them."""

import json
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.config.config import Config
from pipelines.errors import RunError
from pipelines.reliability.attempts import ATTEMPTS
from pipelines.rows import Row
from pipelines.schema import OUTCOME, extras_of
from pipelines.sources.manifest_edits import INSTEAD_OF
from pipelines.stages.quality_limits import apply_limits
from pipelines.stages.rungs import PLAN_COLUMNS, rungs
from pipelines.storage import Storage
from pipelines.tables.clips import current_clips
from pipelines.tables.edits import EDITS_FOLDER, edits_file
from pipelines.tables.full_size import failed_full, full_file, full_name
from pipelines.tables.measures import measures_of
from pipelines.tables.plan import current_plan

CLIP = [*OUTCOME, "row_id", "level", "source_uri", "source_row", "start_seconds"]
CLIP += ["clip_id", "source_version"]
ASKED = ("source_prompt", "target_prompt", "target_where", "edit_list")
"""The columns of the plan that say what an edit was to be."""
NOT_OK = ("failed", "rejected")


def failures(
    output: Storage,
    config: Config,
    types: Collection[str] = (),
    statuses: Collection[str] = NOT_OK,
) -> list[Row]:
    """Find the failed and rejected rows of clips/, full/, edits/ and measures/, published or not.

    Args:
        output: the run's folder.
        config: the run's configuration. Measures under another one are ignored.
        types: error_types to include; all if empty.
        statuses: some of `NOT_OK`.

    Returns:
        Rows with level, row_id, source_row, source_uri, start_seconds, the columns of
        `schema.OUTCOME` and, for edits, `ASKED`, and the edit_id of the last try, whose outcome
        this is.
    """
    clips = {row["row_id"]: row for row in current_clips(output, CLIP).to_pylist()}
    planned = {row["edit_id"]: row for row in current_plan(output).to_pylist()}

    def wanted(row: Row) -> bool:
        return row["status"] in statuses and (not types or row["error_type"] in types)

    found = [row for row in clips.values() if wanted(row)]
    found += [row for row in _without_full_size(output, config, clips.values()) if wanted(row)]
    for edit_id, row in _results(output, config).items():
        plan = planned[edit_id]
        if wanted(row) and plan["clip_row"] in clips:
            asked = {key: plan[key] for key in ASKED}
            named = {"row_id": edit_id, "level": "edit"}
            found.append(clips[plan["clip_row"]] | row | asked | named)
    return sorted(found, key=lambda row: (row["source_uri"] or "", row["start_seconds"] or 0.0))


def _without_full_size(output: Storage, config: Config, clips: Iterable[Row]) -> Iterator[Row]:
    """Yields the clips that could not be stored at the source's size, with that outcome."""
    failed = failed_full(output) if config.publish.size == "source" else {}
    for clip in clips:
        name = full_name(clip["clip_id"], clip["source_version"])
        if name in failed:
            yield clip | {column: failed[name][column] for column in OUTCOME}


def _results(output: Storage, config: Config) -> dict[str, Row]:
    """Returns edit_id and outcome of the last try of each edit, by the id of the planned edit."""
    last: dict[str, Row] = {}
    for rung in rungs(output, config, current_plan(output, PLAN_COLUMNS)):
        names = (rung.plan[name].to_pylist() for name in ("edit_id", "planned"))
        planned = dict(zip(*names, strict=True))
        edits = rung.committed(output)
        rows = _read(output, edits, [*OUTCOME, "edit_id"])
        for measured in _read(output, measures_of(output, rung.plan, edits, config)):
            verdict = apply_limits(measured, config.publish.bounds)
            outcome = {name: verdict[name] for name in OUTCOME}
            rows.append({"edit_id": measured["edit_id"], **outcome})
        last |= {planned[row["edit_id"]]: row for row in rows if row["edit_id"] in planned}
    return last


def _read(output: Storage, held: pa.Table, columns: list[str] | None = None) -> list[Row]:
    """Returns the rows of the files in the column `file`."""
    files = sorted(set(held["file"].to_pylist()))
    return [row for name in files for row in output.read_table(name, columns).to_pylist()]


def manifest(rows: list[Row], sources: pa.Table) -> list[dict[str, Any]]:
    """Returns the entries of a manifest of the failed rows, with all columns of the run's input.

    The entry of a failed edit has only the edit's clip and targets.

    Args:
        rows: result of `failures`.
        sources: the sources of the run.

    Raises:
        RunError: sources of a LeRobot dataset, whose number of frames no manifest can give.
    """
    if "num_frames" in sources.column_names and sources["num_frames"].null_count < len(sources):
        raise RunError(
            "episodes of a LeRobot dataset cannot be written as a manifest: repeat them with "
            "`strmatch retry`"
        )
    given = {source["source_row"]: source for source in sources.to_pylist()}
    entries: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        source = given.get(row["source_row"])
        if source is None:
            continue  # the input has changed
        edit, edits = row["level"] == "edit", _edits(source, row.get("edit_list"))
        start = row["start_seconds"] if edit else source["start_seconds"]
        entry = entries.setdefault(
            (row["source_row"], edit, start, str(edits)),
            {
                "id": source["source_id"],
                "uri": source["location"] or source["source_uri"],
                "start_seconds": start,
                "mask_uri": source["mask_location"],
                "mask_label": source["mask_label"],
                "caption": row["source_prompt"] if edit else source["caption"],
                "subject": source["subject"],
                "targets": [] if edit else _targets(source),
                "edits": edits,
                **(dict.fromkeys(INSTEAD_OF) if edits else {}),
                **_own_columns(source, sources.schema),
            },
        )
        if edit and not edits:
            entry["targets"].append(_target(row["target_prompt"], row["target_where"]))
    return list(entries.values())


def _targets(source: Row) -> list[Any] | None:
    if source["targets"] is None or source["targets_where"] is None:
        return source["targets"]
    pairs = zip(source["targets"], source["targets_where"], strict=True)
    return [_target(prompt, where) for prompt, where in pairs]


def _edits(source: Row, planned: str | None) -> list[Row] | None:
    """Returns edits of several objects as a manifest gives them: of the source, else as planned.

    None if there are none, or the background is one of them, which no manifest can name.
    """
    if source.get("edits"):  # sources of older outputs have none
        return [
            {"subject": each["subject"], "target": each["target"]}
            | {"mask_uri": each["mask_location"], "mask_label": each["mask_label"]}
            for each in source["edits"]
        ]
    parts = json.loads(planned) if planned else []
    told = [{"subject": each["words"], "target": each["prompt"]} for each in parts]
    return told if told and all(each["subject"] for each in told) else None


def _target(prompt: str, where: str | None) -> Any:
    """Returns a target as a manifest gives it."""
    return prompt if where in (None, "subject") else {"prompt": prompt, "where": where}


def _own_columns(source: Row, schema: pa.Schema) -> Row:
    return {field.name: source[field.name] for field in extras_of(schema)}


def forget(output: Storage, config: Config, rows: list[Row]) -> None:
    """Remove the results of failed rows, so that the same run repeats them.

    Args:
        output: the run's folder.
        config: the run's configuration.
        rows: result of `failures`.
    """
    unmeasured = {row["edit_id"] for row in rows if row["error_stage"] == "measure"}
    for name in _measures(output, config) if unmeasured else ():
        if unmeasured & set(output.read_table(name, ["edit_id"])["edit_id"].to_pylist()):
            output.remove(name)  # the file of one clip
    for row in rows:
        if row["error_stage"] == "full_size":
            output.remove(full_file(full_name(row["clip_id"], row["source_version"])))
    gone = pa.array(sorted({row["row_id"] for row in rows}), pa.string())
    tries = pa.array(sorted({row["edit_id"] for row in rows if "edit_id" in row}), pa.string())
    clips = output.read_folder("clips", ["row_id", "found_row"])
    if clips is not None:
        found = clips.filter(pc.is_in(clips["row_id"], gone))["found_row"].combine_chunks()
        _drop(output, output.find("steps", ".parquet"), "found_row", found)
    _drop(output, output.files("clips", ".parquet"), "row_id", gone)
    _drop(output, output.find(EDITS_FOLDER, ".parquet"), "edit_id", tries)
    output.remove(ATTEMPTS)


def _measures(output: Storage, config: Config) -> list[str]:
    """Returns the files of measures that belong to the run's plan, limits and metrics."""
    every = rungs(output, config, current_plan(output, PLAN_COLUMNS))
    measured = [measures_of(output, r.plan, r.committed(output), config) for r in every]
    return sorted({name for table in measured for name in table["file"].to_pylist()})


def _drop(output: Storage, files: list[str], key: str, gone: pa.Array) -> None:
    """Remove the failed rows among `gone`, values of the column `key`, from files."""
    for name in files:
        read = output.read_table(name, [key, "status"])
        found = pc.and_(pc.is_in(read[key], gone), pc.equal(read["status"], "failed"))
        if not pc.any(found).as_py():
            continue
        kept = output.read_table(name).filter(pc.invert(found))
        folder = name.rpartition("/")[0]
        renamed = edits_file(kept[key].to_pylist(), folder) if key == "edit_id" else name
        if len(kept):
            output.write_table(renamed, kept)
        if not len(kept) or renamed != name:
            output.remove(name)
