import pytest

from pipelines.english.swaps import swaps


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("a red circle over bricks", "a blue circle over bricks", [("red", "blue")]),
        ("A red circle.", "a blue square", [("red circle", "blue square")]),
        ("a red hat on bricks", "an old hat on dots", [("red", "old"), ("bricks", "dots")]),
        ("a dog runs", "a dog made of glass runs", [("", "made of glass")]),
        ("a man in a red hat waves", "a man waves", [("in red hat", "")]),
        ("a dog, a dog and a cat", "a dog, a fox and a cat", [("dog", "fox")]),
        ("a cat sits", "The cat sits.", []),
        ("", "a cat", [("", "cat")]),
    ],
)
def test_swaps_are_the_differing_words(source, target, expected):
    assert swaps(source, target) == expected
