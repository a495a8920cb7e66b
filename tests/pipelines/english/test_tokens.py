import pytest

from pipelines.english.tokens import ends_phrase, is_determiner, is_participle, is_verb, tokenise


def test_words_and_punctuation_with_their_positions():
    caption = "A cat's toy, two dogs' well-worn 3D ball."
    tokens = tokenise(caption)
    assert [token.text for token in tokens] == [
        *("A", "cat's", "toy", ",", "two", "dogs'", "well-worn", "3D", "ball", "."),
    ]
    assert all(caption[token.start : token.end] == token.text for token in tokens)
    assert [token.word for token in tokens if token.possessive] == ["cat", "dogs"]
    assert [token.text for token in tokens if not token.is_word] == [",", "."]


@pytest.mark.parametrize("word", ["walk", "walks", "glides", "gliding", "running", "carries"])
def test_forms_of_verbs(word):
    assert is_verb(word)


@pytest.mark.parametrize("word", ["dog", "glass", "wings", "red", "ring"])
def test_words_that_are_not_verbs(word):
    assert not is_verb(word)


def test_classes_of_words():
    a, seven, parked, in_, comma = tokenise("A 7 parked in ,")
    assert is_determiner(a) and is_determiner(seven) and not is_determiner(parked)
    assert is_participle(parked.word) and not is_participle("ring") and not is_participle("red")
    assert ends_phrase(in_) and ends_phrase(comma) and not ends_phrase(parked)


@pytest.mark.parametrize("word", ["nobody", "somebody", "everybody", "anybody"])
def test_indefinite_pronouns_end_a_phrase(word):
    assert ends_phrase(tokenise(word)[0])
    assert not ends_phrase(tokenise("body")[0])
