import pytest

from pipelines.english.grammar import change_pronouns, first_pronoun, plural, replace


@pytest.mark.parametrize(
    ("noun", "expected"),
    [
        ("mouse", "mice"),
        ("woman", "women"),
        ("fisherman", "fishermen"),
        ("sheep", "sheep"),
        ("fire truck", "fire trucks"),
        ("person", "people"),
        ("DJ", "DJs"),
        ("bus", "buses"),
    ],
)
def test_the_plural_of_each_noun(noun, expected):
    assert plural(noun) == expected


@pytest.mark.parametrize(
    ("text", "old", "new", "expected"),
    [
        ("A cat sleeps", "cat", "owl", "An owl sleeps"),
        ("an apple and a cat", "apple", "pear", "a pear and a cat"),
        ("an hourglass", "hourglass", "unicorn", "a unicorn"),
        ("A ring", "ring", "hourglass", "An hourglass"),
        ("the cat", "cat", "owl", "the owl"),
        ("a red cat", "cat", "owl", "a red owl"),
        ("Cats sleep", "Cats", "owls", "Owls sleep"),
        ("cats sleep", "cats", "owls", "owls sleep"),
        ("at a cat", "cat", "owl", "at an owl"),
    ],
)
def test_the_article_and_the_capital_follow_the_swapped_word(text, old, new, expected):
    start = text.index(old)
    assert replace(text, start, start + len(old), new) == expected


@pytest.mark.parametrize(
    ("before", "after", "text", "expected"),
    [
        ("f", "m", "She sees her dog see her.", "He sees his dog see him."),
        ("f", "m", "sees herself, and her in her coat", "sees himself, and him in his coat"),
        ("m", "f", "he ties his shoes himself, with him", "she ties her shoes herself, with her"),
        ("n", "m", "wags its tail as it runs after it", "wags his tail as he runs after him"),
        ("n", "p", "wags its tail by itself", "wags their tail by themselves"),
        ("n", "p", "wags its tail as it runs", None),
        ("p", "n", "walks their dog", "walks its dog"),
        ("m", "n", "this theme is other than others", "this theme is other than others"),
    ],
)
def test_pronouns_follow_the_swapped_noun(before, after, text, expected):
    assert change_pronouns(text, before, after, len(text)) == expected


def test_pronouns_after_another_person_are_unchanged():
    text = "hugs her mother, who pats her head"
    assert change_pronouns(text, "f", "m", text.index("mother")) == (
        "hugs his mother, who pats her head"
    )


def test_the_first_pronoun_is_found():
    assert first_pronoun("and its owner with his hat") == "n"
    assert first_pronoun("near Hertford, by themselves") == "p"
    assert first_pronoun("runs") is None
