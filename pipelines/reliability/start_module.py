"""A module of this package as a process beside this one."""

import os
import subprocess
import sys
from typing import Any


def start_module(name: str, argument: str, **options: Any) -> "subprocess.Popen[Any]":
    """`python -m pipelines.NAME ARGUMENT`, which finds the packages that this process finds.

    Args:
        options: of `subprocess.Popen`.
    """
    return subprocess.Popen(
        # -P: a folder called pipelines/ in the working directory is somebody else's.
        [sys.executable, "-P", "-m", f"pipelines.reliability.{name}", argument],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        **options,
    )
