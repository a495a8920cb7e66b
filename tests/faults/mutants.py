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

import av
import numpy as np
import pyarrow.parquet as pq

from pipelines.cluster import cluster
from pipelines.config.loading import load_config
from pipelines.media.encode import decode_video
from pipelines.runs.open_run import open_run
from tests.pipelines.support.videos import HEIGHT, WIDTH, coded_frames, write_video

SETTINGS = (
    *("clip.num_frames=4", f"clip.height={HEIGHT}", f"clip.width={WIDTH}", "clip.crf=0"),
    *("clip.split_shots=false", "execution.deadline=30", "annotate.tracker=none"),
    *("editor=tests.pipelines.fakes.editors:Invert", "measure.metrics=[]"),
)
COUNT, FPS = 60, 25
MOST = 8.0
"""Mean difference in levels, 0–255, above which a picture is wrong."""
BASES: tuple[tuple[str, str, str, dict[str, str]], ...] = (
    ("plain.mp4", "libx264", "", {}),
    ("first.mp4", "libx264", "", {"movflags": "faststart"}),
    ("refresh.mp4", "libx264", "keyint=30:intra-refresh=1:bframes=0", {}),
    ("open.mp4", "libx264", "keyint=12:min-keyint=12:open-gop=1:bframes=2:scenecut=0", {}),
    ("stream.ts", "libx264", "keyint=15:bframes=2", {}),
    ("index.avi", "libx264", "keyint=15:bframes=0", {}),
    ("high.mp4", "libx265", "keyint=15:log-level=none", {}),
    ("old.avi", "mpeg4", "", {}),
)
"""File, codec, the encoder's own options, and those of the container."""


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


def write_bases(folder: Path) -> list[Path]:
    """Write the undamaged videos, which show the same frames."""
    frames = coded_frames(COUNT)
    parameters = {"libx264": "x264-params", "libx265": "x265-params"}
    return [
        write_video(
            folder / name,
            frames,
            FPS,
            codec,
            options={parameters[codec]: own} if own else {},
            container_options=options,
        )
        for name, codec, own, options in BASES
    ]


def write_input(folder: Path, count: int, seed: int) -> Path:
    """Write `count` corrupted copies of the bases. Return the path of their manifest."""
    folder.mkdir(parents=True)
    originals = write_bases(folder)
    rng = random.Random(seed)
    names = []
    for index in range(count):
        original = originals[index % len(originals)]
        data = bytearray(original.read_bytes())
        rng.choice(MUTATIONS)(data, rng)
        names.append(f"{index:04d}-{original.name}")
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
    columns = ["source_uri", "status", "error_stage", "error_type", "start_seconds", "fps"]
    rows = pq.read_table(output / "dataset", columns=[*columns, "source_video"]).to_pylist()
    failed = Counter(
        f"{row['error_stage']}: {row['error_type']}" for row in rows if row["error_type"]
    )
    undamaged = {name: decoded(folder / "in" / name) for name, *_ in BASES}
    ok = (row for row in rows if row["status"] == "ok")
    wrong = [row for row in ok if is_wrong(row, undamaged[base_of(row)])]
    told = sorted({row["source_uri"] for row in wrong if complains(folder / "in", row)})
    return {
        "mutants": count,
        "missing": count - len({row["source_uri"] for row in rows}),
        "rows": dict(Counter(row["status"] for row in rows)),
        "failed": dict(failed.most_common()),
        "wrong": dict(Counter(map(base_of, wrong))),
        "wrong_although_ffmpeg_complains": told,
        "hangs": sum("Deadline" in reason for reason in failed.elements()),
        "deaths": sum("WorkerDied" in reason for reason in failed.elements()),
        "seconds": round(time.monotonic() - began),
    }


def decoded(path: Path) -> np.ndarray:
    """Return all frames of an undamaged video."""
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == COUNT
    return np.stack(frames)


def base_of(row: dict[str, Any]) -> str:
    name: str = row["source_uri"].partition("-")[2]
    return name


def frame_numbers(row: dict[str, Any]) -> np.ndarray:
    """Return the numbers of a clip's frames in the undamaged video."""
    seconds = row["start_seconds"] + np.arange(4) / row["fps"]
    return np.floor(seconds * FPS + 0.01).astype(int)


def is_wrong(row: dict[str, Any], undamaged: np.ndarray) -> bool:
    """Whether a picture of a clip differs from that of the undamaged video.

    A stream without a header, of which the beginning is lost, begins later: its pictures are
    compared with those of later times.
    """
    numbers, late = frame_numbers(row), row["source_uri"].endswith(".ts")
    if numbers[-1] >= COUNT:  # the damaged file tells other times
        return False
    shown = decode_video(row["source_video"]).astype(int)
    shifts = range(COUNT - numbers[-1]) if late else range(1)
    differences = (np.abs(shown - undamaged[numbers + shift]) for shift in shifts)
    return all((each.mean(axis=(1, 2, 3)) > MOST).any() for each in differences)


def complains(folder: Path, row: dict[str, Any]) -> bool:
    """Whether FFmpeg reports an error about a frame up to the last one of a clip."""
    last = frame_numbers(row)[-1] / FPS
    av.logging.set_level(av.logging.ERROR)
    with av.open(str(folder / row["source_uri"])) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        for packet in container.demux(stream):
            with av.logging.Capture(local=True) as lines:
                try:
                    stream.codec_context.decode(packet if packet.size else None)
                except av.error.FFmpegError:
                    lines.append((av.logging.ERROR, "", "refused"))
            if lines and packet.pts is not None:
                seconds = float((packet.pts - (stream.start_time or 0)) * stream.time_base)
                if seconds <= last:
                    return True
    return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = survive(options.count, options.seed, Path(folder))
    print(json.dumps(report, indent=1))
    bad = ("missing", "hangs", "deaths", "wrong_although_ffmpeg_complains")
    if any(report[name] for name in bad):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
