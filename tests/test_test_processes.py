"""The distribution of tests over processes, see `tests.conftest`."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.conftest import RayTogether

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


class Process:
    """A test process as the scheduler knows a process. A dead one cannot be reached."""

    def __init__(self):
        self.dead, self.shutting_down, self.given = False, False, []
        self.gateway = SimpleNamespace(id="test process")

    def send_runtest_some(self, tests):
        if self.dead:
            raise OSError("cannot send (already closed?)")
        self.given += tests

    def shutdown(self):
        self.shutting_down = True


def test_a_file_for_a_process_that_died_unnoticed_goes_to_another(tmp_path):
    files = [f"tests/folder/test_{number}.py" for number in range(6)]
    (tmp_path / "tests/folder").mkdir(parents=True)
    for file in files:
        (tmp_path / file).touch()
    tests = [f"{file}::test_{name}" for file in files for name in "ab"]
    option = SimpleNamespace(loadscopereorder=False)
    config = SimpleNamespace(option=option, rootpath=tmp_path, getvalue={"tx": ["2*popen"]}.get)
    scheduler = RayTogether(config)
    living, dying = Process(), Process()
    for process in (living, dying):
        scheduler.add_node(process)
        scheduler.add_node_collection(process, tests)
    scheduler.schedule()
    dying.dead = True
    of_dying = list(dying.given)
    scheduler.mark_test_complete(dying, of_dying[0])
    scheduler.mark_test_complete(dying, of_dying[1])  # the process is given a file, and is dead
    died_of = scheduler.remove_node(dying)
    assert died_of == tests[of_dying[2]]
    for test in living.given:  # grows
        scheduler.mark_test_complete(living, test)
    assert sorted(living.given + of_dying[:3]) == list(range(len(tests)))
