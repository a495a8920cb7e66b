"""Runs that fill their disk and continue after it has been enlarged. Needs root, for a tmpfs.

`python -m tests.faults.full_disk --help`.
"""

import argparse
import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.faults.harness import SETTINGS, rows_of, run_command, write_input


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[None]:
    """Mount a tmpfs of `size` bytes at `folder`."""
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={size}", "tmpfs"]
    subprocess.run(["mount", *options, str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def run(manifest: Path, output: Path) -> tuple[int, str]:
    """Run `strmatch run`. Return its exit code and the last line that it printed."""
    command = run_command(manifest, output, SETTINGS)
    ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return ended.returncode, ended.stdout.strip().rsplit("\n", 1)[-1]


def fill(shares: list[float], folder: Path) -> list[dict[str, Any]]:
    """Run on each share of the required space, then on an enlarged disk. Return both results."""
    manifest, whole = write_input(folder / "in"), folder / "whole"
    run(manifest, whole)
    expected = rows_of(whole)
    space = sum(path.stat().st_blocks * 512 for path in whole.rglob("*"))
    found = []
    for share in shares:
        disk = folder / f"disk{share}"
        with small_disk(disk, int(share * space)):
            code, line = run(manifest, disk / "out")
            subprocess.run(["mount", "-o", f"remount,size={10 * space}", str(disk)], check=True)
            again, _ = run(manifest, disk / "out")
            same = rows_of(disk / "out") == expected
        found.append({"share": share, "exit": code, "said": line, "then": again, "same": same})
        print(json.dumps(found[-1]), flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.02, 0.2, 0.4, 0.6, 0.8, 0.95])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = fill(options.shares, Path(folder))
    if not all(row["exit"] and not row["then"] and row["same"] for row in found):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
