"""Checks of the Dockerfile without an engine: files and commands, in a clean environment."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.clusters import ROOT
from tests.faults.harness import write_input

NOBODY = 65534
# This user can read the folders of root's Python and owns only its own files.
AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
AS_NOBODY += ["--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search", "--"]


def steps(target):
    """The (instruction, words) pairs of one target, with continued lines joined."""
    text = (ROOT / "infra" / "docker" / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line and line[0] != "#"]
    begins = [i for i, (word, rest) in enumerate(lines) if word == "FROM"]
    for begin, end in zip(begins, [*begins[1:], len(lines)], strict=True):
        if lines[begin][1].endswith(f" AS {target}"):
            return lines[begin + 1 : end]
    raise AssertionError(f"there is no target {target}")


def installation(target):
    """The (instruction, words) pairs that install the package, without the user's and torch's kind.

    The list of torch builds that uv uses is on another host than the packages.
    """
    return [
        (word, re.sub(r"--chown=\w+ |UV_TORCH_BACKEND=\w+ +", "", rest))
        for word, rest in steps(target)
        if word == "COPY" or (word == "RUN" and "useradd" not in rest)
    ]


def sent():
    """Top-level names of the repository that .dockerignore does not exclude."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert lines[0] == "*"
    return {line[1:] for line in lines if line.startswith("!")}


@pytest.mark.parametrize("target", ["gpu", "cpu"])
def test_copied_files_exist_and_are_in_the_build_context(target):
    copied = [step[1].split() for step in steps(target) if step[0] == "COPY"]
    sources = {word for words in copied for word in words[:-1] if not word.startswith("--")}
    assert sources == sent()
    assert all((ROOT / source).exists() for source in sources)


@pytest.mark.parametrize("target", ["gpu", "cpu"])
def test_the_image_runs_the_command_as_an_unprivileged_user(target):
    of = dict(steps(target))
    assert of["USER"] == "ray"
    assert of["ENTRYPOINT"] == '["strmatch"]'


@pytest.fixture
def home():
    """A folder for an unprivileged user. Ray limits its length, because it holds sockets."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def test_both_images_install_the_package_by_the_same_steps():
    assert installation("gpu") == installation("cpu")


@pytest.mark.infra
@pytest.mark.timeout(1800)
def test_the_build_steps_install_a_working_package(home, tmp_path_factory):
    folder = tmp_path_factory.mktemp("image")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONPATH", "VIRTUAL_ENV") and not name.startswith(("RAY_", "PYTEST"))
    } | {"PATH": f"{folder / 'venv' / 'bin'}:{os.environ['PATH']}", "HOME": str(home)}
    links = os.environ.get("PIP_FIND_LINKS")  # the variable of pip (uv uses another)
    environment |= {"UV_FIND_LINKS": links} if links else {}

    for instruction, words in installation("cpu"):
        here = words.replace("/tmp/strmatch", str(folder / "context"))
        if instruction == "COPY":
            *sources, to = here.split()
            for source in sources:
                place = Path(to) / Path(source).name if to.endswith("/") else Path(to)
                place.parent.mkdir(parents=True, exist_ok=True)
                copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
                copy(ROOT / source, place)
        else:
            subprocess.run(here, shell=True, check=True, env=environment, cwd=folder)
    assert not (folder / "context").exists()

    manifest = write_input(home / "in", clips=1)
    command = AS_NOBODY if os.getuid() == 0 else []
    command = [*command, str(folder / "venv" / "bin" / "strmatch"), "run", "--input", str(manifest)]
    command += ["--output", str(home / "out"), "--set", "edit.num_inference_steps=1"]
    command += ["--set", "clip.num_frames=4", "--set", "publish.limits=null"]
    if os.getuid() == 0:
        subprocess.run(["chown", "-R", str(NOBODY), str(home)], check=True)
    smoke = subprocess.run(
        command,
        env=environment | {"TMPDIR": str(home)},
        cwd=home,
        capture_output=True,
        text=True,
    )
    assert smoke.returncode == 0, smoke.stdout[-2000:] + smoke.stderr[-2000:]
    assert (home / "out" / "_SUCCESS").exists()
    freed = subprocess.run(
        [str(folder / "venv" / "bin" / "python"), "-c", "import sam2, torchvision"],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert "No module named 'torchvision'" in freed.stderr
