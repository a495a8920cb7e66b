import os
import pickle
import subprocess
import sys

import pytest

from pipelines import plugins
from pipelines.config import load_config
from pipelines.errors import ConfigError
from pipelines.stages.edit import STRMatchEditor
from pipelines.tracking.motion import MotionTracker
from tests.pipelines.editors import Invert


def test_built_in_and_by_module():
    assert isinstance(plugins.find("tracker", "motion")(load_config()), MotionTracker)
    assert plugins.find_editor(load_config()) is STRMatchEditor
    assert plugins.find("editor", "tests.pipelines.editors:Invert") is Invert


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sam", "no tracker 'sam'; there is contrast, motion, none, sam2, sam2_hf"),
        ("nowhere.at_all:Tracker", "No module named 'nowhere'"),
        ("tests.pipelines.editors:Missing", "has no attribute 'Missing'"),
    ],
)
def test_what_is_not_there_is_named(name, message):
    with pytest.raises(ConfigError, match=message):
        plugins.find("tracker", name)


class Counting:
    """A captioner that says how many of it were made in this process."""

    made = 0

    def __init__(self, config):
        Counting.made += 1

    def __call__(self, frames):
        return f"{Counting.made} made, {len(frames)} frames"


def test_an_annotator_is_made_once_in_the_process_that_calls_it():
    name = f"annotate.captioner={__name__}:Counting"
    captioner = plugins.InWorker("captioner", load_config(assignments=[name]))
    assert Counting.made == 0
    sent = pickle.loads(pickle.dumps(captioner))
    assert [sent([1]), captioner([1, 2])] == ["1 made, 1 frames", "1 made, 2 frames"]


def test_captioners_and_prompters_are_imported_when_they_are_named():
    program = (
        "import sys\n"
        "from pipelines import plugins\n"
        "names = {'pipelines.endpoint', 'pipelines.prompts.llm', 'pipelines.captions', 'torch'}\n"
        "assert not names & set(sys.modules), names & set(sys.modules)\n"
        "vlm = plugins.find('captioner', 'transformers_vlm')\n"
        "made = [vlm, plugins.find('captioner', 'openai'), plugins.find('prompter', 'llm')]\n"
        "print(*(maker.__name__ for maker in made), 'transformers' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "TransformersVLM OpenAI LLM False\n", done.stderr
