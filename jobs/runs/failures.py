"""The jobs of `strmatch failures` and `strmatch retry`."""

import csv
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from pipelines.errors import RunError
from pipelines.rows import Row
from pipelines.runs.failures import failures, manifest
from pipelines.runs.open_run import find_run, run_sources
from pipelines.storage import Storage


def show(output: str, types: list[str], path: Path | None, assignments: list[str]) -> None:
    """Print failed and rejected rows by stage and reason.

    A manifest of the failed rows is written to `path`.

    Args:
        types: error_types to include; all if empty.
        path: .jsonl, .csv or .parquet; None: no manifest.
        assignments: settings `section.key=value`, laid over those of the run.
    """
    record, config = find_run(output, assignments)
    options = config.execution.storage_options
    storage = Storage(output, options)
    rows = failures(storage, config, types)
    Console().print(_table(rows))
    if path:
        failed = [row for row in rows if row["status"] == "failed"]
        entries = manifest(failed, run_sources(storage, record, config))
        write_manifest(entries, path)
        print(f"  {path}: {len(entries)} entries")


def write_manifest(entries: list[dict[str, Any]], path: Path) -> None:
    """Write a manifest as .jsonl, .csv or .parquet.

    Raises:
        RunError: the path has another suffix, or the file cannot be written.
    """
    try:
        if path.suffix == ".jsonl":
            lines = [json.dumps(entry, ensure_ascii=False, default=str) for entry in entries]
            path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
        elif path.suffix == ".csv":
            with path.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, list(entries[0]) if entries else ["uri"])
                writer.writeheader()
                for entry in entries:
                    targets = entry["targets"] and json.dumps(entry["targets"], ensure_ascii=False)
                    writer.writerow(entry | {"targets": targets})
        elif path.suffix == ".parquet":
            pq.write_table(pa.Table.from_pylist(entries), path)
        else:
            raise RunError(f"manifest {path}: write it as .jsonl, .csv or .parquet")
    except OSError as error:
        raise RunError(f"manifest {path}: {error.strerror}") from error


def _table(rows: list[Row]) -> Table:
    table = Table(box=None, padding=(0, 2))
    for column in ("rows", "status", "stage", "reason", "for example"):
        table.add_column(column)
    groups: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["status"], row["error_stage"], row["error_type"]].append(row)
    for (status, stage, kind), group in sorted(groups.items(), key=lambda item: -len(item[1])):
        first = group[0]
        table.add_row(
            *(str(len(group)), status, stage, kind),
            f"{first['source_uri']}: {first['error_message']}",
        )
    table.add_row(str(len(rows)), "", "", "altogether", "")
    return table
