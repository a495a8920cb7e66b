"""The origin of a phase (commit, machine, torch version), recorded for the model card."""

import json
import platform
import subprocess
from pathlib import Path

import torch

from pipelines.versions import PACKAGE_VERSION

NAME = "origin.json"


def note_origin(folder: Path) -> None:
    """Write commit, machine and torch's version to `folder`/origin.json unless the file exists."""
    path = folder / NAME
    if path.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    origin = {"commit": _commit(), "machine": _machine(), "torch": torch.__version__}
    path.write_text(json.dumps(origin) + "\n", "utf-8")


def read_origin(folder: Path) -> dict[str, str]:
    """Returns the record that `note_origin` wrote."""
    return json.loads((folder / NAME).read_text("utf-8"))


def _commit() -> str:
    """Returns the commit of the checkout, or else the version of the package."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        shown = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return f"package {PACKAGE_VERSION}"
    return shown.stdout.strip()


def _machine() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{torch.cpu.get_capabilities()['cpu_name']}, {platform.machine()}"
