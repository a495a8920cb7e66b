"""lerobot in an environment of its own, as the reader and writer to compare with."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[3]
PYTHON = ROOT / ".venv-lerobot" / "bin" / "python"


class LeRobot:
    """Runs lerobot's classes in processes of its environment."""

    def make(self, *datasets: dict[str, Any]) -> None:
        """Make datasets of version v3.0, see make_dataset.py."""
        self._run(
            "make_dataset.py", json.dumps([{**d, "folder": str(d["folder"])} for d in datasets])
        )

    def convert(self, *folders: Path) -> None:
        """Convert datasets of version v2.1 to v3.0, in place."""
        self._run("convert_dataset.py", *map(str, folders))

    def read(self, *folders: Path) -> list[tuple[dict[str, np.ndarray], dict[str, Any]]]:
        """Returns the columns of every frame, and the metadata, of each dataset."""
        self._run("read_dataset.py", *map(str, folders))
        return [
            (dict(np.load(f"{folder}.npz")), json.loads(Path(f"{folder}.json").read_text()))
            for folder in folders
        ]

    def _run(self, script: str, *arguments: str) -> None:
        command = [str(PYTHON), str(Path(__file__).parent / script), *arguments]
        alone = {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, env=os.environ | alone, capture_output=True, text=True)
        assert not done.returncode, done.stderr[-3000:]


@pytest.fixture(scope="session")
def lerobot() -> LeRobot:
    if not PYTHON.exists():
        pytest.skip("make test-lerobot has lerobot")
    return LeRobot()
