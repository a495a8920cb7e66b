import pytest

from pipelines.english.subject import find_subject, later_mentions, nouns_of
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
        ("The sheep are grazing", "plural"),
        ("The sheep graze on a hill", "plural"),
        ("The sheep on a hill are white", "plural"),
        ("The sheep that are grazing", "plural"),
        ("The sheep near a dog that was barking", "singular"),
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
    ("caption", "mentions"),
    [
        ("A dog runs. The dog barks at a cat.", ["The dog"]),
        ("A red car stops and the red car turns", ["the red car"]),
        ("A dog plays; this dog's tail wags", ["this dog"]),
        ("Two dogs run. The dogs bark at the dog.", ["The dogs"]),
        ("A man's dog sleeps. The man's dog snores.", ["man's dog"]),
        ("A zorb rolls. The zorb bounces.", ["The zorb"]),
        ("A dog chases a white dog. The dog barks.", []),
        ("A dog runs. The cat sleeps.", []),
    ],
)
def test_later_mentions_of_the_subject(caption, mentions):
    found = later_mentions(find_subject(caption))
    assert [caption[begin:end] for begin, _, end in found] == mentions
    assert all(begin <= start < end for begin, start, end in found)


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
