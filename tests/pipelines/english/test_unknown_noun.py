import pytest

from pipelines.english.tokens import tokenise
from pipelines.english.unknown_noun import branch_by_ending, guess


@pytest.mark.parametrize(
    ("word", "branch"),
    [
        ("luthier", ("person", "work")),
        ("boysenberry", ("food", "fruit")),
        ("lyrebird", ("animal", "bird")),
        ("quokka", None),
    ],
)
def test_the_branch_follows_from_the_ending(word, branch):
    assert branch_by_ending(word) == branch


@pytest.mark.parametrize(
    ("word", "rest", "path"),
    [
        ("luthier", "in a room", ("person", "work", "luthier")),
        ("quokka", "is nibbling on a leaf", ("animal", "quokka")),
        ("quokka", "nibbles", ("animal", "quokka")),
        ("zorb", "on a hill", ("artifact", "zorb")),
        ("zorb", "", ("artifact", "zorb")),
    ],
)
def test_an_unknown_noun_gets_a_place_in_the_tree(word, rest, path):
    concept = guess(word, tokenise(rest))
    assert concept.path == path and concept.hidden
