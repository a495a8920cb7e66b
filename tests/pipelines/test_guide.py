"""The guide to the package, and the examples in the contracts of plug-ins."""

import inspect
import re
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pipelines
from pipelines import metrics, plugins, registry
from pipelines.captioners import base as captioners
from pipelines.config import config, options
from pipelines.config.loading import load_config
from pipelines.editors import base as editors
from pipelines.prompters import base as prompters
from pipelines.target_prompt import TargetPrompt
from pipelines.trackers import base as trackers
from strmatch.metrics.base import Sample
from tests.test_architecture import FLOORS

GUIDE = (Path(pipelines.__file__).parent / "README.md").read_text(encoding="utf-8")
FRAMES = np.full((4, 16, 16, 3), 200, np.uint8)


def run(program: str) -> Any:
    """The only class that a program defines."""
    names = {"np": np, "Config": config.Config, "Sample": Sample, "TargetPrompt": TargetPrompt}
    names |= {"pipelines": pipelines}
    before = set(names)
    exec(program, names)
    (made,) = [v for n, v in names.items() if n not in before and inspect.isclass(v)]
    return made


def example(module: Any) -> Any:
    """The class in the docstring of a module."""
    docs = inspect.getdoc(module)
    start = docs.index("    class ")
    block = re.match(r"(?:(?:    .*)?\n)+", docs[start:] + "\n")[0]
    return run(textwrap.dedent(block))


@pytest.fixture
def build(monkeypatch):
    """Construct an example's instance from a configuration with options."""

    def build(kind, made, *assignments):
        monkeypatch.setitem(globals(), "Example", made)
        name = f"{__name__}:Example"
        chosen = {"metric": f"measure.metrics=['{name}']", "editor": f"editor={name}"}
        choice = chosen.get(kind, f"annotate.{kind}={name}")
        loaded = load_config(assignments=[choice, *assignments])
        return options.choose(kind, loaded, name).build()

    return build


def test_the_example_trackers_of_the_contract_and_the_guide_work(build):
    in_guide = re.search(r"```python\n(.*?)```", GUIDE, re.DOTALL)[1]
    higher = "annotate.tracker_options.threshold=201"
    for made in (example(trackers), run(in_guide)):
        assert build("tracker", made)(FRAMES, None).all()
        assert build("tracker", made, higher)(FRAMES, None) is None


def test_the_example_captioner_of_the_contract_works(build):
    captioner = build("captioner", example(captioners), "annotate.captioner_options.subject=dog")
    assert captioner(FRAMES) == "A dog in 4 frames."


def test_the_example_prompter_of_the_contract_works(build):
    prompter = build("prompter", example(prompters), "annotate.prompter_options.style=in ink")
    assert [target.prompt for target in prompter("A cat.", None, 2, 0)] == ["A cat in ink"]


def test_the_example_editor_of_the_contract_works(build):
    editor = build("editor", example(editors), "editor_options.red=9")
    inside = np.zeros((4, 16, 16), bool)
    inside[:, :8] = True
    edited = editor.edit(editor.invert(FRAMES, "a"), "b", inside, 0)
    assert edited.dtype == np.uint8
    assert (edited[inside] == [209, 200, 200]).all() and (edited[~inside] == 200).all()
    assert type(editor).revision(load_config(), None) == "1"


def test_the_example_metric_of_the_contract_works(build):
    name = f"{__name__}:Example"
    metric = build("metric", example(metrics), f"measure.options={{'{name}': {{gain: 2}}}}")
    assert metric(Sample(FRAMES, FRAMES, None, "", "")) == 400


def test_the_guide_lists_every_built_in_plug_in():
    rows = dict(re.findall(r"^\| (\w+) \| (`[\w`, ]+) \|$", GUIDE, re.MULTILINE))
    listed = {kind: re.findall(r"`(\w+)`", names) for kind, names in rows.items()}
    assert listed == {kind: list(names) for kind, names in registry.BUILT_IN.items()}
    for kind, names in listed.items():
        for name in names:
            assert inspect.isclass(plugins.find(kind, name))


def test_the_guide_lists_the_layers_of_the_package():
    rows = re.findall(r"^\| \d \| (`.*?) \|", GUIDE, re.MULTILINE)
    floors = [set(re.findall(r"`(\w+)/?`", row)) for row in rows]
    assert floors[:-1] == list(FLOORS[:-1]) and floors[-1] < FLOORS[-1]
