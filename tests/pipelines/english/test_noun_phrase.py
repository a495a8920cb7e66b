import pytest

from pipelines.english.noun_phrase import read_phrase
from pipelines.english.tokens import tokenise


def read(text):
    tokens = tokenise(text)
    phrase, behind = read_phrase(tokens, 0)
    head = phrase and " ".join(token.text for token in tokens[phrase.head : phrase.end])
    return phrase, head, tokens[behind].text if behind < len(tokens) else None


@pytest.mark.parametrize(
    ("text", "head", "behind"),
    [
        ("A brown dog is running", "dog", "is"),
        ("a city street at night", "city street", "at"),
        ("The cat's paws move", "paws", "move"),
        ("A person's silhouette", "person's", "silhouette"),
        ("The man rows a boat", "man", "rows"),
        ("The machine waters the plants", "machine", "waters"),
        ("Two women dress", "women", "dress"),
        ("Ocean waves crash", "Ocean waves", "crash"),
        ("a small, fluffy and black dog", "dog", None),
        ("an orange cat", "cat", None),
        ("a glass and a jar", "glass", "and"),
        ("a snow covered mountain", "mountain", None),
        ("a red and black zorb", "zorb", None),
        ("a lego block and put it in the bin", "block", "and"),
        ("a zorb and throw the ball", "zorb", "and"),
        ("a zorb and a ball", "zorb", "and"),
        ("a zorb, then put it down", "zorb", ","),
        ("a cheese taster smiles", "cheese taster", "smiles"),
        ("The camera pans", None, None),
        ("drone footage of a city", None, "a"),
    ],
)
def test_the_noun_and_the_end_of_its_phrase_are_found(text, head, behind):
    assert read(text)[1:] == (head, behind)


def test_determiners_give_the_number():
    assert read("a dog")[0].singular and not read("the dog")[0].singular
    assert read("these two dogs")[0].plural and read("12 dogs")[0].plural
    assert not read("some dogs")[0].plural


def test_a_noun_outside_the_table_has_no_concept():
    phrase, head, _ = read("a quokka nibbles on a leaf")
    assert (head, phrase.sense) == ("quokka", None)
    assert read("slowly and quietly")[0] is None
