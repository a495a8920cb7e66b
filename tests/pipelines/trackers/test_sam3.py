"""The tracker `sam3` by the real model of transformers, small and with random weights."""

import numpy as np
import pytest

from pipelines import plugins
from pipelines.config.loading import load_config
from pipelines.config.options import choose
from pipelines.errors import ConfigError, Rejected
from pipelines.trackers.base import Found
from pipelines.trackers.sam3 import best_of_each
from pipelines.trackers.streaming import Sam3Frames
from tests.pipelines.trackers.components import save_sam3

FRAMES = np.random.default_rng(0).integers(0, 256, (3, 48, 80, 3), dtype=np.uint8)
PHRASES = ["red circle", "blue square"]


@pytest.fixture(scope="module")
def tracker(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sam3")
    save_sam3(folder)
    config = load_config(
        assignments=["annotate.tracker=sam3", f"annotate.tracker_options.weights={folder}"]
    )
    plugins.check_annotators(config, used=True)
    return choose("tracker", config).build()


def test_phrases_are_found_and_followed_in_one_pass(tracker):
    candidates = tracker.candidates(FRAMES, PHRASES)
    assert {each.words for each in candidates} == {*PHRASES}
    for each in candidates:
        assert each.mask.shape == (3, 48, 80) and each.mask.dtype == bool and each.mask.any()
        assert 0 < each.score < 1
    assert len({each.mask.tobytes() for each in candidates}) > 1
    alone = tracker.candidates(FRAMES, PHRASES[:1])
    assert {each.words for each in alone} == {"red circle"}
    other = tracker.candidates(FRAMES[:, :, ::-1], PHRASES[:1])
    assert [each.mask.sum() for each in alone] != [each.mask.sum() for each in other]


def test_the_subject_is_the_best_object_of_its_phrase(tracker):
    mask = tracker(FRAMES, "red circle")
    best = best_of_each(tracker.candidates(FRAMES, ["red circle"]))["red circle"]
    assert (mask == best.mask).all()
    with pytest.raises(Rejected) as raised:
        tracker(FRAMES, None)
    assert raised.value.type == "NoSubject"


def part(left, right, frames=3):
    mask = np.zeros((3, 48, 80), bool)
    mask[:frames, :, left:right] = True
    return mask


def test_each_phrase_has_the_best_of_its_objects_and_no_two_have_one():
    dog, small, brief = part(0, 20), part(30, 34), part(30, 60, frames=1)
    found = best_of_each(
        [
            Found("dog", small, 0.8),
            Found("dog", dog, 0.8),
            Found("dog", brief, 0.8),
            Found("cat", part(0, 21), 0.5),  # the dog once more
            Found("cat", part(60, 80), 0.3),
        ]
    )
    assert found.keys() == {"dog", "cat"}
    assert (found["dog"].mask == dog).all()
    assert (found["cat"].mask == part(60, 80)).all()


def test_frames_are_prepared_as_the_image_processor_does():
    white = Sam3Frames(np.full((1, 48, 80, 3), 255, np.uint8), 112)[0]
    assert white.shape == (3, 112, 112) and (white == 1).all()


def test_a_hub_id_without_a_commit_is_refused():
    with pytest.raises(ConfigError, match=r"set annotate.tracker_options.revision to a commit"):
        load_config(assignments=["annotate.tracker=sam3"])
