"""Two hundred valid rows with and without four that kill, hang, raise and cannot be decoded.

`python -m tests.faults.poison --help`.
"""

import argparse
import json
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from pipelines.cluster import cluster
from pipelines.config.loading import load_config
from pipelines.media.encode import encode_video
from pipelines.runs.open_run import open_run

DEADLINE = 10.0
SETTINGS = (
    *("clip.num_frames=2", "clip.height=32", "clip.width=32", "annotate.tracker=none"),
    *("editor=tests.pipelines.fakes.editors:Poisoned", f"execution.deadline={DEADLINE}"),
    "measure.metrics=[tests.pipelines.fakes.metrics:Difference]",
)


def write_input(folder: Path, good: int, bad: bool) -> Path:
    """Write good videos and rows that kill their worker. Return the path of the manifest."""
    folder.mkdir(parents=True)
    rows = []
    for index in range(good):
        name = f"good{index:03d}.mp4"
        frames = np.full((2, 32, 32, 3), (90, 40 + index % 200, 90 + index // 200), np.uint8)
        (folder / name).write_bytes(encode_video(frames, 8.0))
        rows.append({"uri": name, "caption": "a cat", "targets": [f"number {index}"]})
    if bad:
        (folder / "rotten.mp4").write_bytes(b"\0" * 1000)
        rows.insert(good // 5, {"uri": "rotten.mp4", "caption": "a cat", "targets": ["a dog"]})
        for place, what in enumerate(("kill", "hang", "raise"), start=2):
            row = {"uri": f"good{place:03d}.mp4", "caption": "a cat", "targets": [what]}
            rows.insert(place * good // 5, row)
    manifest = folder / "manifest.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return manifest


def timed(folder: Path, good: int, bad: bool) -> tuple[float, list[dict[str, Any]]]:
    """Run below `folder`. Return the duration in seconds and the rows."""
    manifest, config = write_input(folder / "in", good, bad), load_config(assignments=SETTINGS)
    began = time.monotonic()
    with open_run(str(folder / "out"), config, str(manifest)) as run:
        run.all_phases()
    columns = ["target_prompt", "status", "error_stage", "error_type"]
    rows = pq.read_table(folder / "out" / "dataset", columns=columns).to_pylist()
    return time.monotonic() - began, rows


def measure(good: int, folder: Path) -> dict[str, Any]:
    """Run both manifests one after the other on one cluster."""
    with cluster(load_config(assignments=SETTINGS).execution):
        alone, _ = timed(folder / "alone", good, bad=False)
        among, rows = timed(folder / "among", good, bad=True)
    return {
        "rows": dict(Counter(row["status"] for row in rows)),
        "failed": {
            row["target_prompt"] or "rotten": f"{row['error_stage']}: {row['error_type']}"
            for row in rows
            if row["status"] != "ok"
        },
        "seconds_of_good_rows": round(alone, 1),
        "seconds_with_poison": round(among, 1),
        "ratio_less_deadline": round((among - DEADLINE) / alone, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--good", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(options.good, Path(folder)), indent=1))


if __name__ == "__main__":
    main()
