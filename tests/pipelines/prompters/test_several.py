import pytest

from pipelines.prompters.several import own_prompt, several_targets
from pipelines.target_prompt import TargetPrompt
from tests.pipelines.support.prompters import noun_swap

CAPTION = "a red circle moving right and a green star moving up over bricks"


def derived(caption, words, kinds, count=6, seed=1):
    objects = [{"id": number, "words": each} for number, each in enumerate(words)]
    return several_targets(noun_swap(kinds), caption, objects, count, seed)


def test_every_object_changes_by_a_kind_in_turn():
    near, coloured = derived(CAPTION, ["red circle", "green star"], ("noun_near", "recolour"), 2)
    for target, kind, place in ((near, "noun_near", 1), (coloured, "recolour", 0)):
        assert [each.object for each in target.edits] == [0, 1]
        assert [each.kind for each in target.edits] == [kind, kind]
        one, other = target.edits
        assert target.prompt == (
            f"{one.prompt} moving right and {other.prompt} moving up over bricks"
        )
        assert one.prompt.split()[1 + place] == one.target_word
        assert one.source_word == ("red", "circle")[place]
        assert other.source_word == ("green", "star")[place]
        assert (target.kind, target.source_word, target.where) == (None, None, "subject")


@pytest.mark.parametrize("seed", range(6))
def test_an_object_never_takes_the_words_of_another(seed):
    """Otherwise the second edit could not tell the two crosses apart."""
    caption = "a blue cross and a purple cross over dots"
    targets = derived(caption, ["blue cross", "purple cross"], ("recolour",), 4, seed)
    assert targets
    for target in targets:
        one, other = target.edits
        assert (one.source_word, other.source_word) == ("blue", "purple")
        assert one.target_word != "purple"
        assert target.prompt == f"{one.prompt} and {other.prompt} over dots"


def test_one_change_of_an_edit_may_be_that_of_the_background():
    kinds = ("noun_near", "background")
    (_, placed) = derived(CAPTION, ["red circle", "green star"], kinds, 2)
    behind, star = placed.edits
    assert (behind.object, behind.kind, behind.where) == (None, "background", "background")
    assert (star.object, star.kind) == (1, "noun_near")
    assert placed.prompt.startswith("a red circle moving right and ")
    assert placed.prompt.endswith(f"over {behind.target_word}")


def test_an_object_without_a_fitting_target_keeps_its_words():
    def prompter(prompt, subject, count, seed):
        return [TargetPrompt(prompt.replace("dog", "fox"))] if subject == "dog" else []

    things = [{"id": 0, "words": "dog"}, {"id": 1, "words": "cat"}]
    assert several_targets(prompter, "a dog and a cat", things, 2, 0) == [
        TargetPrompt("a fox and a cat")
    ]
    assert several_targets(prompter, "a dog and a cat", things[::-1], 2, 0) == []


def test_equal_targets_are_one():
    targets = derived(CAPTION, ["red circle", "green star"], ("recolour",), 40)
    assert len({target.prompt for target in targets}) == len(targets)
    again = derived(CAPTION, ["red circle", "green star"], ("recolour",), 40)
    assert again == targets, "the arguments alone decide"


@pytest.mark.parametrize(
    ("words", "source", "target", "expected"),
    [
        ("red circle", "red", "orange", "an orange circle"),
        ("big dog", "dog", "dog made of glass", "a big dog made of glass"),
        ("big Dog", "dog", "owl", "a big owl"),
        ("horses", "horses", "zebras", "zebras"),
        ("woman", "green", "red", "the whole"),
        ("dog", None, None, "the whole"),
    ],
)
def test_the_prompt_of_an_object_has_its_new_words(words, source, target, expected):
    prompt = TargetPrompt("the whole", "recolour", source, target)
    assert own_prompt(words, prompt) == expected
