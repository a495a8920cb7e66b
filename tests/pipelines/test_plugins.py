import pickle

import pytest

from pipelines import plugins
from pipelines.config import load_config
from pipelines.errors import ConfigError
from pipelines.stages.edit import STRMatchEditor
from pipelines.stages.track import MotionTracker
from tests.pipelines.editors import Invert


def test_built_in_and_by_module():
    assert isinstance(plugins.find("tracker", "motion")(load_config()), MotionTracker)
    assert plugins.find_editor(load_config()) is STRMatchEditor
    assert plugins.find("editor", "tests.pipelines.editors:Invert") is Invert


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sam", "no tracker 'sam'; there is motion, none, sam2, sam2_hf"),
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
