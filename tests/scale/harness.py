"""A run over a long manifest with a trivial editor, which measures the orchestration cost.

`python -m tests.scale.harness --help`.
"""

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.media.encode import encode_video
from strmatch.miniature.scenes import sample_scene
from strmatch.miniature.world import render
from tests.faults.harness import run_command

VIDEOS = 8
SETTINGS = (
    # Two frames with a fast sprite would be detected as a cut.
    *("clip.num_frames=2", "clip.height=32", "clip.width=32", "clip.split_shots=false"),
    # Settings that reduce the cost of the rows themselves.
    *("annotate.tracker=none", "editor=tests.pipelines.fakes.editors:Invert", "measure.metrics=[]"),
)


def write_input(folder: Path, rows: int) -> Path:
    """Write a manifest of `rows` distinct rows on a few tiny videos."""
    folder.mkdir(parents=True)
    scenes = [sample_scene(seed) for seed in range(VIDEOS)]
    for index, frames in enumerate(render(scenes, num_frames=2, size=32).frames.numpy()):
        (folder / f"{index}.mp4").write_bytes(encode_video(frames, 8.0))
    table = {
        "uri": [f"{row % VIDEOS}.mp4" for row in range(rows)],
        "caption": [f"number {row}" for row in range(rows)],
        "targets": [[f"another number {row}"] for row in range(rows)],
    }
    manifest = folder / "manifest.parquet"
    pq.write_table(pa.table(table), manifest)
    return manifest


def watch(command: list[str]) -> tuple[int, list[tuple[float, int]]]:
    """Run a command. Return its exit code and its resident bytes, sampled once a second."""
    driver = subprocess.Popen(command)
    process, memory = psutil.Process(driver.pid), []
    while driver.poll() is None:
        memory.append((time.time(), process.memory_info().rss))
        time.sleep(1.0)
    return driver.returncode, memory


def measure(rows: int, folder: Path) -> dict[str, Any]:
    """Run once over `rows` rows below `folder`."""
    manifest, output = write_input(folder / "in", rows), folder / "out"
    code, memory = watch(run_command(manifest, output, SETTINGS))
    if code:
        raise SystemExit(code)
    phases = json.loads((output / "run.json").read_text())["phases"]
    seconds = {name: phase["seconds"] for name, phase in phases.items()}
    wall = sum(seconds.values())
    began = (output / "run.json").stat().st_mtime - wall
    idle = ([rss for when, rss in memory if when <= began] or [memory[0][1]])[-1]
    growth, ended = {}, began
    for name, spent in seconds.items():
        ended += spent
        growth[name] = round((max(rss for when, rss in memory if when <= ended) - idle) / 1e6, 1)
    columns = pq.read_table(output / "dataset", columns=["status", "seconds"])
    worked = sum(columns["seconds"].to_pylist())
    cpus = psutil.cpu_count() or 1
    return {
        "rows": rows,
        "ok": columns["status"].to_pylist().count("ok"),
        "seconds": seconds,
        "rows_per_second": round(rows / wall, 1),
        "orchestration_share": round(1 - worked / (wall * cpus), 3),
        "driver_rss_growth_mb": round((max(rss for _, rss in memory) - idle) / 1e6, 1),
        "driver_rss_growth_mb_by_end_of": growth,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = measure(options.rows, Path(folder))
    text = json.dumps(report, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
