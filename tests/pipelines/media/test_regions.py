import numpy as np
import pytest

from pipelines.media import masks
from pipelines.media.regions import Regions


def column(at):
    mask = np.zeros((2, 4, 6), bool)
    mask[:, :, at] = True
    return mask


OBJECTS = [
    {"id": number, "words": words, "mask": masks.encode(column(number)), "score": None}
    for number, words in enumerate(("dog", "cat", "car"))
]
CLIP = {"mask": masks.encode(column(0)), "objects": OBJECTS}


def test_an_edit_is_made_in_the_objects_that_it_changes():
    edits = [{"object": 2}, {"object": 0}]
    car, dog = Regions(CLIP).of_each(edits)
    assert (car == column(2)).all() and (dog == column(0)).all()
    assert (Regions(CLIP).of_edit("subject", edits) == (column(0) | column(2))).all()


def test_the_background_is_what_no_object_covers():
    edits = [{"object": None}, {"object": 1}]
    behind = ~(column(0) | column(1) | column(2))
    assert (Regions(CLIP).of_each(edits)[0] == behind).all()
    assert (Regions(CLIP).of_edit("subject", edits) == (behind | column(1))).all()


@pytest.mark.parametrize("where", ["subject", "background", "all"])
def test_one_edit_is_made_where_the_target_says(where):
    expected = masks.region(column(0), where)
    found = Regions(CLIP).of_edit(where)
    assert found is expected is None if where == "all" else (found == expected).all()
    assert Regions({"mask": None}).of_edit(where) is None
