import numpy as np
import pytest

from pipelines.config.loading import load_config
from pipelines.config.options import choose
from pipelines.errors import Rejected, RowError
from strmatch.metrics.base import NotMeasured, Sample

HERE = "tests.pipelines.judges.test_recaption:Told"
CAPTIONS: list[str | Exception] = []
"""The caption of a clip whose pixels have this index."""


class Told:
    """Captions clips by their first pixel. Counts the clips."""

    calls = 0

    def __init__(self, config):
        pass

    def __call__(self, frames):
        Told.calls += 1
        caption = CAPTIONS[frames[0, 0, 0, 0]]
        if isinstance(caption, Exception):
            raise caption
        return caption


def clip(index):
    return np.full((2, 8, 8, 3), index, np.uint8)


def measured(edited, before="A red ball rolls on grass.", target="a blue ball rolls", words="all"):
    CAPTIONS[:] = [before, edited]
    settings = [f"annotate.captioner={HERE}", f"measure.options.recaption.words={words}"]
    metric = choose("metric", load_config(assignments=settings), "recaption").build()
    return metric(Sample(clip(0), clip(1), None, "a red ball rolls", target))


@pytest.mark.parametrize(
    ("edited", "swapped", "every"),
    [
        ("The blue ball rolls on grass!", 1, 1),
        ("A red ball rolls on grass.", 0, 0),  # blue is missing, red is there
        ("A red and blue ball rolls on grass.", 0.5, 0.5),
        ("A ball rolls on grass.", 0.5, 0.5),
        ("A blue cube rolls on grass.", 1, 0.8),  # 4 of 5 words
        ("A blue ball rests on grass.", 1, 0.8),
        ("A blue ball rolls on grass near a tree.", 1, 5 / 7),
        (Rejected("NotOfTheWorld", "noise"), 0, 0),
    ],
)
def test_the_value_is_the_share_of_right_words(edited, swapped, every):
    assert measured(edited, words="swapped") == swapped
    assert measured(edited) == every


def test_words_of_other_things_are_counted():
    """The red cube keeps its colour, so that one red is right and two are wrong."""
    before = "A red ball and a red cube."
    CAPTIONS[:] = [before, "A blue ball and a red cube.", "A red ball and a red cube."]
    metric = choose("metric", load_config(assignments=[f"annotate.captioner={HERE}"]), "recaption")
    prompts = ("a red ball and a red cube", "a blue ball and a red cube")
    assert metric.build()(Sample(clip(0), clip(1), None, *prompts)) == 1
    assert metric.build()(Sample(clip(0), clip(2), None, *prompts)) == 0


def test_a_source_that_the_captioner_rejects_leaves_the_swapped_words():
    assert measured("A blue cube rests.", before=Rejected("NotOfTheWorld", "noise")) == 1


def test_a_captioner_without_an_answer_gives_no_value():
    with pytest.raises(NotMeasured, match="EndpointFailed|no answer"):
        measured(RowError("EndpointFailed", "no answer"))
    with pytest.raises(NotMeasured, match="the same words"):
        measured("A red ball rolls.", target="The red ball rolls.")


def test_the_source_is_captioned_once_for_all_edits():
    CAPTIONS[:] = ["A red ball rolls.", "A blue ball rolls."]
    settings = [f"annotate.captioner={HERE}", "measure.options.recaption.words=all"]
    metric = choose("metric", load_config(assignments=settings), "recaption").build()
    first = Sample(clip(0), clip(1), None, "a red ball rolls", "a blue ball rolls")
    Told.calls = 0
    assert [metric(first), metric(first._replace(edited=clip(1)))] == [1, 1]
    assert Told.calls == 3
