import pytest

from pipelines.english.subject import find_subject, nouns_of
from tests.pipelines.english.captions import captions


def is_head(subject, head):
    """Whether the replaced words are the noun, alone or as the end of a compound."""
    return subject is not None and f" {subject.word}".endswith(f" {head}")


def test_the_head_noun_of_everyday_captions():
    said = captions()
    wrong = [
        f"{find_subject(caption)} instead of {head!r}"
        for caption, head in said
        if not is_head(find_subject(caption), head)
    ]
    assert len(said) >= 200
    assert len(wrong) <= len(said) * 0.05, "\n".join(wrong)


@pytest.mark.parametrize(
    ("caption", "word"),
    [
        ("a red circle moving right over bricks", "circle"),
        ("Slow motion shot of the cat's paws", "paws"),
        ("A cup of coffee on a table", "cup"),
        ("The video shows dogs running in a park", "dogs"),
        ("On a table sits a vase", "vase"),
        ("In the forest a deer drinks water", "deer"),
        ("Walking through a forest in autumn", "forest"),
        ("Someone is cutting an onion", "onion"),
        ("The beauty of a rose", "rose"),
        ("The Eiffel Tower at night", "Eiffel Tower"),
        ("A luthier carves wood", "luthier"),
        ("A hand-held camera follows a boy", "boy"),
        ("Seen from above, a ship sails through the ice", "ship"),
    ],
)
def test_introductory_phrases_are_skipped(caption, word):
    subject = find_subject(caption)
    assert subject.word == word
    assert caption[subject.start : subject.end] == word


@pytest.mark.parametrize("caption", ["the sublime", "", "!", "Slowly and quietly", "It is raining"])
def test_a_caption_that_cannot_be_parsed_has_no_subject(caption):
    assert find_subject(caption) is None


@pytest.mark.parametrize(
    ("caption", "number"),
    [
        ("A sheep grazes", "singular"),
        ("The sheep is grazing", "singular"),
        ("Sheep graze", "plural"),
        ("Three sheep graze", "plural"),
        ("A flock of sheep grazes", "plural"),
        ("Water flows", "mass"),
        ("A coffee on a table", "singular"),
        ("A pair of scissors", "plural"),
        ("Several macarons on a plate", "plural"),
    ],
)
def test_the_number_of_the_subject(caption, number):
    assert find_subject(caption).number == number


@pytest.mark.parametrize(
    ("caption", "pronoun"),
    [
        ("A woman walks their dog", "f"),
        ("A chef tastes his soup", "m"),
        ("A person walks their dog", "p"),
        ("A person sees it", None),
        ("A dog wags its tail", "n"),
        ("A dog wags his tail", "m"),
        ("A car with its owner", "n"),
        ("A car and her owner", None),
        ("A dog sleeps", None),
    ],
)
def test_the_pronoun_of_the_subject(caption, pronoun):
    assert find_subject(caption).pronoun == pronoun


def test_all_concepts_named_in_a_caption_are_found():
    assert [c.name for c in nouns_of("A kitten and two dogs on the couch")] == [
        *("cat", "dog", "sofa"),
    ]
