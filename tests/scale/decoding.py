"""Seconds in which clips are cut from ordinary videos, and the memory of an 8K clip.

`python -m tests.scale.decoding` prints ratios to decord alone, which decodes the same videos
without any check. Other commits of this repository are compared by the same command.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import decord
import fsspec
import numpy as np
from moto.server import ThreadedMotoServer

from pipelines.config.loading import load_config
from pipelines.reliability.deadline import Deadline
from pipelines.schema import SOURCES
from pipelines.stages.find_clips import FindClips
from tests.pipelines.support.videos import shot, write_video

REPEATS = 3
SETTINGS = ["clip.num_frames=16", "clip.height=256", "clip.width=448", "clip.skip_duplicates=null"]


def row(location: str) -> dict[str, Any]:
    return dict.fromkeys(SOURCES.names) | {
        "source_uri": "a.mp4",
        "source_row": "r",
        "location": location,
    }


def find(location: str, options: dict[str, Any]) -> int:
    """Cut clips; returns their number."""
    config = load_config(assignments=[*SETTINGS, "clip.max_clips_per_video=null"])
    rows = FindClips(config.clip, options, Deadline(600))(row(location))
    assert all(found["status"] == "ok" for found in rows), rows[0]["error_message"]
    return len(rows)


def by_decord(path: Path) -> None:
    """Decode all frames."""
    reader = decord.VideoReader(str(path), num_threads=1)
    for start in range(0, len(reader), 32):
        reader.get_batch(range(start, min(start + 32, len(reader))))


def median_seconds(work: Callable[[], Any]) -> float:
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def compare(folder: Path) -> dict[str, Any]:
    path = write_video(folder / "a.mp4", shot(0, 200, size=(720, 1280)), fps=25)
    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    options = {
        "key": "k",
        "secret": "s",
        "client_kwargs": {"endpoint_url": f"http://{host}:{port}"},
    }
    store = fsspec.filesystem("s3", **options)
    store.mkdir("videos")
    store.put(str(path), "videos/a.mp4")
    alone = median_seconds(lambda: by_decord(path))
    local = median_seconds(lambda: find(str(path), {}))
    remote = median_seconds(lambda: find("s3://videos/a.mp4", options))
    server.stop()
    return {
        "decord_seconds": round(alone, 3),
        "local_ratio": round(local / alone, 2),
        "s3_ratio": round(remote / alone, 2),
    }


MEASURED = "import sys; from tests.scale.decoding import peak; peak(sys.argv[1])"


def peak(path: str) -> None:
    """Print the megabytes that cutting the clips of a video adds to the process."""
    small = write_video(Path(path).with_name("small.mp4"), shot(0, 32), fps=8)
    find(str(small), {})
    before = most_megabytes()
    find(path, {})
    print(most_megabytes() - before)


def most_megabytes() -> int:
    """Return the largest memory that this process had so far. Unlike ru_maxrss, not its parent."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


def memory(folder: Path) -> int:
    """Return the megabytes that a clip of 8K frames takes."""
    frames = np.repeat(shot(0, 1, size=(4320, 7680)), 16, axis=0)
    path = write_video(folder / "8k.mp4", frames, fps=8, options={"preset": "ultrafast"})
    del frames
    command = [sys.executable, "-c", MEASURED, str(path)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        report = compare(Path(folder)) | {"clip_of_8k_megabytes": memory(Path(folder))}
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
