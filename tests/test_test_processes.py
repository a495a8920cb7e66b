"""The distribution of tests over processes, see `tests.conftest`."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DEADLY = "import os\ndef test_that_kills(): os.kill(os.getpid(), 9)\n"
HARMLESS = "import time\ndef test_that_passes(): time.sleep(0.2)\n"


@pytest.mark.slow
def test_a_test_that_ends_its_process_fails_alone_and_all_others_run(tmp_path):
    files = [HARMLESS + DEADLY + "def test_behind(): pass\n", *[HARMLESS] * 5, DEADLY]
    for index, text in enumerate(files):
        (tmp_path / f"test_{index}.py").write_text(text)
    options = ["-q", "-p", "tests.conftest", "-p", "no:cacheprovider", "-c", "/dev/null"]
    options += ["-n", "2", "--dist", "loadfile", "--no-loadscope-reorder", f"--rootdir={tmp_path}"]
    command = [sys.executable, "-m", "pytest", *options, str(tmp_path)]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert shown.returncode == 1
    assert "2 failed, 7 passed" in shown.stdout, shown.stdout
    failed = [line for line in shown.stdout.splitlines() if line.startswith("FAILED")]
    assert len(failed) == 2 and all("::test_that_kills" in line for line in failed), failed
