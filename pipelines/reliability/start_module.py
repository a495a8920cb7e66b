"""Starts a module of `pipelines.reliability` as a process."""

import os
import subprocess
import sys
from typing import Any


def start_module(name: str, argument: str, **options: Any) -> "subprocess.Popen[Any]":
    """Start `python -m pipelines.reliability.NAME ARGUMENT` with the import path of this process.

    Args:
        options: further arguments of `subprocess.Popen`.
    """
    return subprocess.Popen(
        # -P: a folder pipelines/ in the working directory is not this package.
        [sys.executable, "-P", "-m", f"pipelines.reliability.{name}", argument],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        **options,
    )
