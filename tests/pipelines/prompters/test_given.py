import pytest

from pipelines.english.instructions import instructions
from pipelines.errors import RowError
from pipelines.prompters.given import given_target

CAPTION = "A red car passes an old dog on a meadow"


def edits(*pairs):
    return [{"subject": subject, "target": target} for subject, target in pairs]


def test_the_words_of_every_object_are_replaced():
    target = given_target(CAPTION, edits(("the red car", "a blue truck"), ("dog", "young fox")))
    assert target.prompt == "A blue truck passes a young fox on a meadow"
    car, dog = target.edits
    assert (car.object, car.words, car.prompt) == (0, "the red car", "a blue truck")
    assert (dog.source_word, dog.target_word, dog.prompt) == ("old dog", "young fox", "a young fox")
    row = {"row_id": "1", "seed": 0, "source_prompt": CAPTION, "target_kind": "several"}
    told = instructions(row | {"target_prompt": target.prompt, "edits": target.as_row()["edits"]})
    assert "Turn the red car into a blue truck and the old dog into a young fox." in told.there


def test_two_objects_may_change_places():
    target = given_target("a dog chases a cat", edits(("dog", "cat"), ("cat", "dog")))
    assert target.prompt == "a cat chases a dog"


@pytest.mark.parametrize("subject", ["horse", "car"])
def test_an_object_that_the_caption_does_not_name_fails_the_row(subject):
    with pytest.raises(RowError, match=f"names no '{subject}' of its own") as raised:
        given_target(CAPTION, edits(("red car", "blue car"), (subject, "zebra")))
    assert raised.value.type == "NoTarget"
