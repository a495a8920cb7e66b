"""The Markdown pages: links lead to files and headings, and commands and programs work."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
import types
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from jobs.cli import app
from jobs.runs import demo
from pipelines import plugins
from pipelines.config.loading import load_config
from pipelines.media.encode import decode_video
from strmatch import STRMatch, load_backbone
from strmatch.metrics.base import Sample
from strmatch.presets import miniature

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    subprocess.check_output(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        text=True,
    ).split()
)
BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
SMALL = ["--set", "edit.num_inference_steps=1", "--set", "publish.limits=null"]
"""Appended to the commands that edit; docs/commands.md states this."""


def read(page):
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page, language):
    return [
        textwrap.dedent(indent + text)
        for indent, found, text in BLOCK.findall(read(page))
        if found == language
    ]


def one_a_line(text):
    """The commands of a block, with continued lines joined and spaces single."""
    lines = text.replace("\\\n", " ").splitlines()
    return [" ".join(line.split()) for line in lines if line.strip()]


def commands(page):
    return [command for block in blocks(page, "bash") for command in one_a_line(block)]


NOT_EXECUTED = [line for block in blocks("docs/commands.md", "text") for line in one_a_line(block)]
WITH_COMMANDS = [page for page in PAGES if commands(page)]
EXECUTED = {
    page: [command for command in commands(page) if command not in NOT_EXECUTED]
    for page in WITH_COMMANDS
}


class Invocation(NamedTuple):
    """A command line of strmatch."""

    arguments: list[str]
    output: str | None
    """The file to which standard output is redirected."""


def invocation(command):
    """The strmatch command in a line of a page, also behind `ray job submit … --`, or None."""
    words = shlex.split(command)
    if words[:3] == ["ray", "job", "submit"]:
        words = words[words.index("--") + 1 :]
    if words[0] != "strmatch":
        return None
    words = words[1:]
    output = None
    if ">" in words:
        words, output = words[: words.index(">")], words[-1]
    return Invocation(words, output)


def parse(arguments):
    """The options and arguments of a command line by name; raises on an unknown one."""
    command, parent, name = typer.main.get_command(app), None, "strmatch"
    while True:
        context = command.make_context(name, list(arguments), parent=parent)
        if not hasattr(command, "commands"):
            return context.params
        name, command, arguments = command.resolve_command(
            context, [*context._protected_args, *context.args]
        )
        parent = context


def invoke(called):
    ended = CliRunner().invoke(app, called.arguments)
    assert ended.exit_code == 0, ended.output
    if called.output:
        Path(called.output).write_text(ended.stdout, encoding="utf-8")


def test_the_front_page_is_short():
    assert len(read("README.md").split()) <= 2000


def test_links_lead_to_files():
    link = re.compile(r"\]\(([^)#\s:]+)(?:#[^)\s]*)?\)")
    for page in PAGES:
        for target in link.findall(read(page)):
            assert ((ROOT / page).parent / target).exists(), f"{page}: {target}"


def test_commands_that_are_not_executed_are_those_of_the_pages():
    assert len(set(NOT_EXECUTED)) == len(NOT_EXECUTED)
    assert set(NOT_EXECUTED) <= {command for page in WITH_COMMANDS for command in commands(page)}


@pytest.mark.parametrize("page", WITH_COMMANDS)
def test_commands_have_options_and_settings_that_exist(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("models/sam2", "models/owlv2"):  # a name without a folder is a hub id
        Path(folder).mkdir(parents=True)
    for command in commands(page):
        called = invocation(command)
        if called is None:
            continue
        options = parse(called.arguments)
        if "set" in options:
            preset, file = options.get("preset", "miniature"), options.get("config")
            load_config(preset, file, options["set"] or [])
        if called.arguments[0] == "config":
            invoke(called)


def test_commands_in_sentences_exist():
    span = re.compile(r"`strmatch ([a-z][a-z -]*?)(?: [^a-z].*?)?`")
    for page in PAGES:
        for name in span.findall(BLOCK.sub("", read(page))):
            words = name.split()
            command = typer.main.get_command(app)
            while words and hasattr(command, "commands"):
                assert words[0] in command.commands, f"{page}: strmatch {name}"
                command = command.commands[words.pop(0)]


def test_make_targets_exist():
    for page in WITH_COMMANDS:
        for command in commands(page):
            words = shlex.split(command)
            if words[0] == "make":
                dry = ["make", "-n", *words[1:]]
                subprocess.run(dry, cwd=ROOT, check=True, capture_output=True)


def test_the_site_is_strict():
    assert "mkdocs build --strict" in read("Makefile")
    assert re.search(r"^step docs$", read(".ci/run"), re.MULTILINE)


def execute(page_commands):
    for command in page_commands:
        words, called = shlex.split(command), invocation(command)
        if called:
            small = SMALL if "--input" in called.arguments else []
            invoke(called._replace(arguments=[*called.arguments, *small]))
        else:
            assert words[0] == "python", f"neither executed nor listed: {command}"
            subprocess.run([sys.executable, *words[1:]], check=True, capture_output=True)


@pytest.fixture(scope="module")
def home(tmp_path_factory, ray_cluster):
    """The folder of a reader who has followed the front page, and has the files of other pages.

    The folder kept has a copy of the run that the pages call runs/first.
    """
    printed = subprocess.check_output(["make", "-n", "demo"], cwd=ROOT, text=True)
    (recipe,) = [line for line in printed.splitlines() if "bin/strmatch" in line]
    home = tmp_path_factory.mktemp("home")
    with chdir(home), pytest.MonkeyPatch.context() as patch:
        small = SMALL[1::2]
        patch.setattr(
            demo, "load_config", lambda assignments: load_config(assignments=[*assignments, *small])
        )
        execute([recipe.removeprefix(".venv/bin/"), *EXECUTED["README.md"]])
    shutil.copytree(home / "runs", home / "kept")
    source = home / "demo" / "input" / "manifest.jsonl"
    first, *_ = source.read_text(encoding="utf-8").splitlines()
    (home / "manifest.jsonl").write_text(first, encoding="utf-8")
    # The other pages go on with the same row, in a manifest of its own.
    record = home / "kept" / "first" / "run.json"
    begun = json.loads(record.read_text(encoding="utf-8"))
    begun["input"] = str(home / "manifest.jsonl")
    record.write_text(json.dumps(begun), encoding="utf-8")
    (home / "videos").mkdir()
    for folder in (home, home / "videos"):
        shutil.copy(source.parent / json.loads(first)["uri"], folder)
    return home


@pytest.fixture
def with_run(home, monkeypatch):
    """The working directory of a reader who has made runs/first."""
    monkeypatch.chdir(home)
    shutil.rmtree(home / "runs")
    shutil.copytree(home / "kept", home / "runs")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_demo_and_the_commands_of_the_front_page_run(home, tmp_path):
    edits = pd.read_parquet(home / "demo" / "output" / "dataset")
    assert edits.status.eq("ok").any() and sorted(set(edits.num_frames)) == [16, 32]
    assert pd.read_parquet(home / "kept" / "first" / "dataset").status.eq("ok").any()
    program = str(ROOT / "docs" / "images" / "before_and_after.py")
    picture = tmp_path / "picture.png"
    dataset = str(home / "demo" / "output" / "dataset")
    subprocess.run([sys.executable, program, dataset, str(picture)], check=True)
    assert picture.stat().st_size < 300_000


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [page for page, executed in EXECUTED.items() if executed and page != "README.md"]
)
def test_commands_run(page, with_run):
    execute(EXECUTED[page])


@pytest.mark.slow
def test_the_programs_run(with_run):
    for page in PAGES:
        if page.startswith("docs/"):
            for program in blocks(page, "python"):
                exec(compile(program, page, "exec"), {})


def test_the_example_of_a_reward_model_scores_both_clips(tmp_path, monkeypatch):
    """A stand-in for the package of the reward model reads the clips that the metric writes."""

    class VEFXReward:
        def __init__(self, model_path, device):
            self.made_of = (model_path, device)

        def score(self, original_video, edited_video, instruction):
            clips = [
                decode_video(Path(file).read_bytes()) for file in (original_video, edited_video)
            ]
            levels = [round(clip.mean() / 100) for clip in clips]
            assert (levels, instruction[-8:]) == ([1, 2], ": a cat."), (levels, instruction)
            return {"IF": 3.0, "RQ": 2.0, "EE": 4.0, "Overall": 9.0}

    module = types.ModuleType("vefx_reward")
    module.VEFXReward = VEFXReward
    monkeypatch.setitem(sys.modules, "vefx_reward", module)
    (program,) = blocks("docs/metrics.md", "py")
    (tmp_path / "my_rewards.py").write_text(program, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    name = "my_rewards:VEFX"
    config = load_config(assignments=[f"measure.metrics=['{name}']"])
    metric = plugins.metrics(config)[name]
    assert plugins.metrics_on_gpu(config)
    source, edited = (np.full((4, 16, 16, 3), level, np.uint8) for level in (100, 200))
    assert metric(Sample(source, edited, None, "A dog.", "a cat.")) == 3.0
    assert metric.model.made_of[0] == "4B"


def test_the_example_of_the_library_runs_as_printed_in_few_steps(monkeypatch):
    """The backbone has 2 steps instead of 20. `test_the_programs_run` runs the whole example."""
    preset = miniature.PRESET
    quick = replace(preset, edit=replace(preset.edit, num_inference_steps=2))
    monkeypatch.setattr(miniature, "PRESET", quick)
    (program,) = blocks("docs/library.md", "python")
    names = {}
    exec(compile(program, "docs/library.md", "exec"), names)
    assert names["result"].frames.shape == names["frames"].shape == (16, 64, 64, 3)
    assert names["result"].settings.num_inference_steps == 2


def test_the_example_of_regions_runs_as_printed_in_few_steps():
    backbone = load_backbone("miniature")
    settings = replace(backbone.settings, num_inference_steps=2)
    circle, star = np.zeros((2, 16, 64, 64), bool)
    circle[:, :20, :20], star[:, 40:, 40:] = True, True
    frames = np.full((16, 64, 64, 3), 128, np.uint8)
    names = {"editor": STRMatch(backbone, settings), "frames": frames}
    (program,) = blocks("docs/library.md", "py")
    names |= {"circle": circle, "star": star}
    exec(compile(program, "docs/library.md", "exec"), names)
    kept = (names["result"].latents == names["inversion"].latents[0])[0].all(dim=(0, 1))
    assert not kept[:5, :5].any() and not kept[10:, 10:].any() and kept[12:, :4].all()
