import pytest

from pipelines.english.objects import objects_of


@pytest.mark.parametrize(
    ("caption", "phrases"),
    [
        ("a red circle moving right and a blue star over dots", ["red circle", "blue star"]),
        ("A big dog chases a cat on a beach", ["big dog", "cat"]),
        ("A dog runs beside a dog. The dog barks.", ["dog"]),
        ("A dog sits by a car. The dog barks at the car.", ["dog", "car"]),
        ("A woman throws a frisbee into the sky", ["woman", "frisbee"]),
        ("A man with a group of dogs and a horse", ["man", "horse"]),
        ("On a table sits a vase beside an apple", ["vase", "table", "apple"]),
        ("the sublime", []),
    ],
)
def test_objects_are_the_subject_and_what_else_can_be_edited(caption, phrases):
    found = objects_of(caption)
    assert [each.phrase for each in found] == phrases
    assert all(caption[each.begin : each.end] == each.phrase for each in found)


def test_the_named_subject_is_the_first_object():
    caption = "A dog chases a cat past a red car"
    assert [each.phrase for each in objects_of(caption, "cat")] == ["cat", "dog", "red car"]
    assert objects_of(caption, "horse") == []
