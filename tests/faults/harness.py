"""Fault injection: actors, workers, the driver and a node are killed at random moments.

After any faults, the dataset must equal that of an undisturbed run, row for row and byte for
byte. `python -m tests.faults.harness --help`.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
from ray.cluster_utils import Cluster

from pipelines.media.encode import encode_video
from strmatch.miniature.scenes import caption, sample_scene
from strmatch.miniature.world import render

KINDS = {"actor": 3, "editor": 2, "worker": 3, "driver": 2, "node": 1}
"""What is killed, and how often beside the others. An editor is the process beside an actor that
makes the edits, or the one that watches over it."""
PAUSE = (1.0, 6.0)
"""Seconds between two faults."""
CLIPS, TARGETS = 24, ("a square", "a star")
SETTINGS = (
    "clip.num_frames=4",
    # Edits need none to four further tries, and have three.
    "editor=tests.pipelines.fakes.editors:SlowlyImproving",
    "edit.tries=3",
    "measure.metrics=['tests.pipelines.fakes.metrics:Difference']",
    "publish.limits={'tests.pipelines.fakes.metrics:Difference': {max: 20}}",
    # Random faults may hit the same clip repeatedly, although the clip itself is valid.
    "execution.attempts=100",
    "publish.file_mb=0.05",
)
COLUMNS = [
    *("row_id", "status", "error_type", "target_prompt", "source_video", "edited_video"),
    *("edit_try", "earlier_tries"),
]


def write_input(folder: Path, clips: int = CLIPS) -> Path:
    """Write rendered clips, a damaged one and a manifest. Return the path of the manifest."""
    folder.mkdir(parents=True)
    rows: list[dict[str, Any]] = [{"uri": "rotten.mp4"}]
    (folder / "rotten.mp4").write_bytes(b"rotten" * 100)
    scenes = [sample_scene(seed) for seed in range(clips)]
    for index, frames in enumerate(render(scenes, num_frames=4).frames.numpy()):
        (folder / f"{index}.mp4").write_bytes(encode_video(frames, 8.0))
        uri, said = f"{index}.mp4", caption(scenes[index])
        rows.append({"uri": uri, "caption": said, "targets": list(TARGETS)})
    manifest = folder / "manifest.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return manifest


@contextmanager
def small_cluster() -> Iterator[Cluster]:
    """Start a head that only holds the driver, and two nodes that do the work."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    try:
        for _ in range(2):
            cluster.add_node(num_cpus=2)
        yield cluster
    finally:
        cluster.shutdown()


def run_command(manifest: Path, output: Path, settings: Iterable[str]) -> list[str]:
    """The command line of `strmatch run`, for a separate process."""
    command = [sys.executable, "-m", "jobs.cli", "run"]
    command += ["--input", str(manifest), "--output", str(output)]
    return command + [part for setting in settings for part in ("--set", setting)]


def start(manifest: Path, output: Path, address: str) -> subprocess.Popen[bytes]:
    """Start the run on the cluster at this address."""
    command = run_command(manifest, output, (*SETTINGS, f"execution.ray_address={address}"))
    log = (output.parent / f"{output.name}.log").open("ab")
    with log:
        return subprocess.Popen(command, stdout=log, stderr=log)


class Sniper:
    """Kills processes of one cluster and one driver."""

    def __init__(self, cluster: Cluster, rng: random.Random) -> None:
        self.cluster = cluster
        self.rng = rng
        self.killed: Counter[str] = Counter()

    def shoot(self, driver: subprocess.Popen[bytes]) -> None:
        """Cause one fault of a kind that is present and still below its share, if there is any."""
        targets = self._processes()
        there = ["driver", "node", *targets]
        behind = [max(0.0, self._behind(kind)) for kind in there]
        if not any(behind):
            return
        kind = self.rng.choices(there, behind)[0]
        if kind == "driver":
            driver.kill()
            driver.wait()
        elif kind == "node":
            nodes = self.cluster.worker_nodes
            self.cluster.remove_node(self.rng.choice(sorted(nodes, key=id)), allow_graceful=False)
            self.cluster.add_node(num_cpus=2)
        else:
            try:
                self.rng.choice(targets[kind]).kill()
            except psutil.NoSuchProcess:
                return
        self.killed[kind] += 1
        print(f"{self.killed.total()}: {kind}", flush=True)

    def _behind(self, kind: str) -> float:
        """The number of faults of one kind that may still be caused."""
        share = KINDS[kind] / sum(KINDS.values())
        return share * (self.killed.total() + 1) - self.killed[kind]

    def _processes(self) -> dict[str, list[psutil.Process]]:
        """Editing actors, their child processes, and workers that run other tasks."""
        found: dict[str, list[psutil.Process]] = defaultdict(list)
        children = psutil.Process().children(recursive=True)
        for process in sorted(children, key=lambda process: process.pid):
            try:
                title = " ".join(process.cmdline())
            except psutil.Error:
                continue
            if "pipelines.reliability.process_supervisor" in title:
                found["editor"].append(process)
            elif title.startswith("ray::") and not title.startswith("ray::IDLE") and "Map" in title:
                found["actor" if "EditClip" in title else "worker"].append(process)
        return found


def rows_of(output: Path) -> list[tuple[Any, ...]]:
    """Every row of the dataset, in a fixed order."""
    files = sorted((output / "dataset").glob("*.parquet"))
    rows = [row for file in files for row in pq.read_table(file, columns=COLUMNS).to_pylist()]
    return sorted((tuple(row.values()) for row in rows), key=lambda row: row[0])


def run_to_the_end(
    manifest: Path, output: Path, sniper: Sniper | None, faults: int, cluster: Cluster
) -> None:
    """Repeat the command until it succeeds, with up to `faults` faults on the way."""
    driver = start(manifest, output, cluster.address)
    while driver.poll() is None or driver.returncode != 0:
        if driver.returncode not in (None, 0, -signal.SIGKILL):
            log = (output.parent / f"{output.name}.log").read_text()
            raise SystemExit(f"the run ended with exit code {driver.returncode}:\n{log[-3000:]}")
        if driver.returncode is not None:
            driver = start(manifest, output, cluster.address)
        if sniper and sniper.killed.total() < faults:
            time.sleep(sniper.rng.uniform(*PAUSE))
            sniper.shoot(driver)
        else:
            driver.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    report = inject(options.faults, options.seed)
    text = json.dumps(report, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")
    if report["lost"] or report["doubled"] or not report["identical"]:
        raise SystemExit(1)


def inject(faults: int, seed: int) -> dict[str, Any]:
    """Run with `faults` faults in total. Return counts of lost and duplicate rows."""
    # A cluster's nodes and drivers must agree on whether they authenticate.
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    os.environ["PYTHONPATH"] = ":".join(filter(None, sys.path))
    lost = doubled = runs = 0
    identical = True
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, small_cluster() as cluster:
        manifest = write_input(Path(folder) / "in")
        run_to_the_end(manifest, Path(folder) / "undisturbed", None, 0, cluster)
        expected = rows_of(Path(folder) / "undisturbed")
        sniper = Sniper(cluster, random.Random(seed))
        while sniper.killed.total() < faults:
            output = Path(folder) / f"run{runs}"
            run_to_the_end(manifest, output, sniper, faults, cluster)
            found = rows_of(output)
            ids, wanted = Counter(row[0] for row in found), Counter(row[0] for row in expected)
            lost += (wanted - ids).total()
            doubled += (ids - wanted).total()
            identical = identical and found == expected
            runs += 1
            print(f"{sniper.killed.total()} of {faults} faults, {runs} runs", flush=True)
    return {
        "injected": sniper.killed.total(),
        "by_kind": dict(sniper.killed),
        "runs": runs,
        "rows": len(expected),
        "by_try": dict(Counter(str(row[COLUMNS.index("edit_try")]) for row in expected)),
        "lost": lost,
        "doubled": doubled,
        "identical": identical,
        "seconds": round(time.monotonic() - began),
    }


if __name__ == "__main__":
    main()
