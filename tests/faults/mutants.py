"""Randomly corrupted and truncated videos: each of them must end as a row.

`python -m tests.faults.mutants --help`.
"""

import argparse
import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipelines.cluster import cluster
from pipelines.config.loading import load_config
from pipelines.runs.open_run import open_run
from tests.pipelines.support.videos import coded_frames, write_video

SETTINGS = (
    *("clip.num_frames=4", "clip.height=32", "clip.width=32", "execution.deadline=30"),
    *("annotate.tracker=none", "editor=tests.pipelines.fakes.editors:Invert"),
    "measure.metrics=[tests.pipelines.fakes.metrics:Difference]",
)


def flip(data: bytearray, rng: random.Random) -> None:
    """Flip up to a hundred bits."""
    for _ in range(rng.randint(1, 100)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def cut(data: bytearray, rng: random.Random) -> None:
    """Cut off the end."""
    del data[rng.randrange(len(data)) :]


def patch(data: bytearray, rng: random.Random) -> None:
    """Copy a piece of the first kilobytes to another place within them."""
    size, head = rng.randint(4, 64), min(len(data), 4096)
    start, to = rng.randrange(head), rng.randrange(head)
    piece = data[start : start + size]
    data[to : to + len(piece)] = piece


MUTATIONS: tuple[Callable[[bytearray, random.Random], None], ...] = (flip, cut, patch)


def write_input(folder: Path, count: int, seed: int) -> Path:
    """Write `count` corrupted copies of three real files. Return the path of their manifest."""
    folder.mkdir(parents=True)
    frames = coded_frames(40)
    originals = [
        write_video(folder / "plain.mp4", frames),
        write_video(folder / "first.mp4", frames, container_options={"movflags": "faststart"}),
        write_video(folder / "old.avi", frames, codec="mpeg4"),
    ]
    rng = random.Random(seed)
    names = []
    for index in range(count):
        original = originals[index % len(originals)]
        data = bytearray(original.read_bytes())
        rng.choice(MUTATIONS)(data, rng)
        names.append(f"{index:04d}{original.suffix}")
        (folder / names[-1]).write_bytes(data)
    rows = [{"uri": name, "caption": "a cat", "targets": ["a dog"]} for name in names]
    manifest = folder / "manifest.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return manifest


def survive(count: int, seed: int, folder: Path) -> dict[str, Any]:
    """Run on the corrupted videos below `folder`. Return the counts of outcomes."""
    manifest, output = write_input(folder / "in", count, seed), folder / "out"
    config, began = load_config(assignments=SETTINGS), time.monotonic()
    with open_run(str(output), config, str(manifest)) as run, cluster(config.execution):
        run.all_phases()
    columns = ["source_uri", "status", "error_stage", "error_type"]
    rows = pq.read_table(output / "dataset", columns=columns).to_pylist()
    failed = Counter(
        f"{row['error_stage']}: {row['error_type']}" for row in rows if row["error_type"]
    )
    return {
        "mutants": count,
        "missing": count - len({row["source_uri"] for row in rows}),
        "rows": dict(Counter(row["status"] for row in rows)),
        "failed": dict(failed.most_common()),
        "hangs": sum("Deadline" in reason for reason in failed.elements()),
        "deaths": sum("WorkerDied" in reason for reason in failed.elements()),
        "seconds": round(time.monotonic() - began),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = survive(options.count, options.seed, Path(folder))
    print(json.dumps(report, indent=1))
    if report["missing"] or report["hangs"] or report["deaths"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
