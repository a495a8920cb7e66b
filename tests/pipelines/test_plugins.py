import pytest

from pipelines import plugins
from pipelines.config import load_config
from pipelines.errors import ConfigError
from pipelines.stages.edit import STRMatchEditor
from pipelines.stages.track import MotionTracker
from tests.pipelines.editors import Invert


def test_built_in_and_by_module():
    assert isinstance(plugins.make_tracker(load_config()), MotionTracker)
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
