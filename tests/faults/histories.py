"""Random histories of a manifest and of commands, each on one output.

Whatever the order, the dataset is that of the last manifest, every edit is what the editor makes of
its own prompts, and nothing is edited twice. `python -m tests.faults.histories --help`.
"""

import argparse
import json
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from jobs.runs import commands
from jobs.runs import failures as failures_job
from pipelines.cluster import cluster
from pipelines.config.config import Config
from pipelines.config.loading import load_config
from pipelines.errors import RunError
from pipelines.media.encode import decode_video
from tests.pipelines.fakes.editors import colour
from tests.pipelines.support.videos import coded_frames, write_video

SETTINGS = (
    *("clip.num_frames=2", "clip.height=64", "clip.width=128", "clip.crf=0"),
    *("clip.max_clips_per_video=1", "clip.split_shots=false", "annotate.tracker=none"),
    *("editor=tests.pipelines.fakes.editors:Signed", "measure.metrics=[]"),
)
COMPARED = ["status", "error_type", "source_uri", "source_id", "source_prompt", "target_prompt"]
VIDEOS = ["source_video", "edited_video"]
OWN = ["score", "note"]
"""The manifest's own columns, which a history retypes."""


class History:
    """A manifest with its videos, and the output of a run on them."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.rng = folder, random.Random(seed)
        for name in ("in", "notes", "fresh-notes"):
            (folder / name).mkdir(parents=True)
        self.manifest, self.output = folder / "in" / "manifest.jsonl", folder / "out"
        self.rows: list[dict[str, Any]] = []
        self.names = self.made = 0
        for _ in range(3):
            self.add()
        self.write()

    # Changes of the manifest

    def add(self) -> None:
        self.names += 1
        name = f"{self.names}.mp4"
        self.film(name)
        row = {"uri": name, "caption": f"number {self.names}", "score": self.names, "note": None}
        self.rows.append(row | {"targets": [f"target {self.names}", "another"]})

    def film(self, name: str) -> None:
        self.made += 1
        frames = coded_frames(4)
        frames[:, 32:] = (frames[:, 32:].astype(int) + 20 * self.made) % 256
        write_video(self.folder / "in" / name, frames, fps=8)

    def remove(self) -> None:
        if len(self.rows) > 1:
            self.rows.pop(self.rng.randrange(len(self.rows)))

    def correct(self) -> None:
        self.made += 1
        self.rng.choice(self.rows)["caption"] = f"corrected {self.made}"

    def retarget(self) -> None:
        self.made += 1
        self.rng.choice(self.rows)["targets"] = [f"new {self.made}", "another"]

    def replace(self) -> None:
        self.film(self.rng.choice(self.rows)["uri"])

    def retype(self) -> None:
        name = self.rng.choice(OWN)
        kind: Callable[[int], Any] = self.rng.choice([int, float, str, lambda _: None])
        for number, row in enumerate(self.rows):
            row[name] = kind(number)

    def break_one(self) -> None:
        self.rng.choice(self.rows)["targets"] = ["never", "another"]

    def write(self) -> None:
        self.manifest.write_text("".join(json.dumps(row) + "\n" for row in self.rows))

    # Commands

    def config(self, notes: str = "notes") -> Config:
        return load_config(assignments=[*SETTINGS, f"editor_options.notes={self.folder / notes}"])

    def run(self, limit: int | None = None) -> None:
        commands.run(str(self.manifest), str(self.output), self.config(), limit)

    def run_limited(self) -> None:
        self.run(self.rng.randint(1, 2))

    def annotate(self) -> None:
        commands.annotate(str(self.manifest), str(self.output), self.config(), None)

    def phase(self, name: str) -> None:
        commands.phase(name, str(self.output), [])

    def retry(self) -> None:
        commands.retry(str(self.output), [], [])

    def failures(self) -> None:
        failures_job.show(str(self.output), [], self.folder / "failed.jsonl", [])

    def fork(self) -> None:
        new = self.folder / f"fork-{self.made}-{self.rng.random()}"
        commands.fork(str(self.manifest), str(self.output), str(new), self.config(), None, False)
        self.output = new

    def by_hand(self) -> None:
        """Change a target of the plan."""
        file = self.output / "plan" / "plan.parquet"
        if file.exists():
            plan = pq.read_table(file)
            targets = plan["target_prompt"].to_pylist()
            self.made += 1
            targets[self.rng.randrange(len(targets))] = f"by hand {self.made}"
            place = plan.schema.get_field_index("target_prompt")
            pq.write_table(plan.set_column(place, "target_prompt", pa.array(targets)), file)

    # Checks

    def dataset(self, output: Path) -> pd.DataFrame:
        rows = pd.read_parquet(output / "dataset")
        return rows.sort_values(["source_uri", "target_prompt"], ignore_index=True)

    def edits(self, notes: str = "notes") -> Counter[str]:
        return Counter(path.read_text() for path in (self.folder / notes).iterdir())

    def check_rows(self) -> None:
        """Every edit of the dataset is what the editor makes of its prompts and its source."""
        for row in self.dataset(self.output).to_dict("records"):
            if row["status"] == "ok":
                source, edited = (decode_video(row[name]).astype(int) for name in VIDEOS)
                half = source.shape[2] // 2
                made = edited[:, :, half + 4 :].mean(axis=(0, 1, 2))
                wanted = colour(row["source_prompt"], row["target_prompt"])
                assert np.abs(made - wanted).max() < 4, row["target_prompt"]
                kept = np.abs(source - edited)[:, :, : half - 4].mean()
                assert kept < 4, row["source_uri"]

    def check_fresh(self) -> None:
        """The dataset is that of a new output, and nothing was edited twice."""
        fresh = self.folder / f"fresh-{self.made}-{self.rng.random()}"
        commands.run(str(self.manifest), str(fresh), self.config("fresh-notes"), None)
        found, expected = self.dataset(self.output), self.dataset(fresh)
        columns = [*COMPARED, *VIDEOS, *OWN]
        pd.testing.assert_frame_equal(found[columns], expected[columns], check_dtype=False)
        twice = [edit for edit, times in self.edits().items() if times > 1 and "never" not in edit]
        assert not twice, twice


def of_manifests(folder: Path, seed: int, steps: int) -> list[str]:
    """Change a manifest at random, and run; returns the names of the changes."""
    history = History(folder, seed)
    history.run()
    changes = (
        *(history.add, history.remove, history.correct, history.retarget, history.replace),
        *(history.retype, history.break_one),
    )
    done = []
    for _ in range(steps):
        some = history.rng.sample(changes, history.rng.randint(1, 2))
        for change in some:
            change()
        history.write()
        history.run()
        done.append(" and ".join(change.__name__ for change in some))
        history.check_rows()
        history.check_fresh()
    return done


def of_commands(folder: Path, seed: int, steps: int) -> list[str]:
    """Give commands at random; returns their names, and what was refused."""
    history = History(folder, seed)
    history.break_one()
    history.write()
    named: dict[str, Callable[[], None]] = {
        **{name: getattr(history, name) for name in ("annotate", "retry", "failures", "fork")},
        **{name: getattr(history, name) for name in ("run", "run_limited", "by_hand")},
        **{name: _phase(history, name) for name in ("plan", "edit", "measure", "publish")},
    }
    editing = {"run", "run_limited", "retry", "edit", "fork"}
    done = []
    for _ in range(steps):
        name = history.rng.choice(list(named))
        before = history.edits().total()
        try:
            named[name]()
        except RunError as error:
            done.append(f"{name} refused: {error}")
            continue
        done.append(name)
        assert name in editing or history.edits().total() == before, f"{name} edited"
        if (history.output / "_SUCCESS").exists():
            history.check_rows()
    history.run()
    history.check_rows()
    there = set(history.dataset(history.output)["source_uri"])
    assert there == {row["uri"] for row in history.rows}
    return [*done, "run"]


def _phase(history: History, name: str) -> Callable[[], None]:
    return lambda: history.phase(name)


KINDS = {"manifests": of_manifests, "commands": of_commands}


def play(kind: str, seeds: Iterable[int], steps: int) -> int:
    """Play histories of a kind and print them; returns the number of failures."""
    failed = 0
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            try:
                done = KINDS[kind](Path(folder) / "history", seed, steps)
            except Exception as error:
                failed += 1
                print(f"{kind} {seed}: {type(error).__name__}: {error}", flush=True)
            else:
                print(f"{kind} {seed}: {'; '.join(done)}", flush=True)
    return failed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--kind", choices=[*KINDS], action="append")
    options = parser.parse_args()
    seeds = range(options.seed, options.seed + options.count)
    with cluster(load_config().execution):
        failed = sum(play(kind, seeds, options.steps) for kind in options.kind or KINDS)
    if failed:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
