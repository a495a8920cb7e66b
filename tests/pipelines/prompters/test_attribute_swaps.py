import pytest

from pipelines.english.subject import nouns_of
from pipelines.english.tokens import words
from pipelines.prompters.attribute_swaps import COLOURS, PLACES, STYLES
from tests.pipelines.support.prompters import noun_swap


def targets(kind, caption, count=50):
    return noun_swap((kind,))(caption, None, count, seed=0)


def prompts(kind, caption):
    return {target.prompt for target in targets(kind, caption)}


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("A red car drives by", "A blue car drives by"),
        ("A red car drives by", "An orange car drives by"),
        ("An orange cat sleeps", "A red cat sleeps"),
        ("A black and white cow", "A blue cow"),
        ("A car drives by", "A blue car drives by"),
        ("An old wooden boat", "An old blue wooden boat"),
        ("Japanese boats on a lake", "Blue Japanese boats on a lake"),
        ("Cars at night", "Blue cars at night"),
        ("A woman in a red dress", "A woman in a blue dress"),
        ("An apple on a table", "A blue apple on a table"),
        ("A red car stops. The red car turns.", "An orange car stops. The orange car turns."),
        ("A car stops. The car turns.", "A blue car stops. The car turns."),
    ],
)
def test_a_colour_is_replaced_or_added(caption, expected):
    assert expected in prompts("recolour", caption)


def test_the_new_colour_differs_from_the_named_one():
    assert len(targets("recolour", "A crimson car")) == len(COLOURS) - 1
    assert not any("red" in prompt.split() for prompt in prompts("recolour", "A crimson car"))
    assert all(colour in words("colours") for likes in COLOURS.values() for colour in likes)


@pytest.mark.parametrize(
    "caption",
    ["A woman walks", "A black man walks", "A red panda climbs", "The sea", "A green eye"],
)
def test_some_subjects_get_no_colour(caption):
    found = prompts("recolour", caption)
    assert not found if caption != "A green eye" else "A blue eye" in found


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("A dog is running.", "A dog made of wood is running."),
        ("A cup of coffee on a table", "A cup of coffee made of wood on a table"),
        ("The streets of Paris", "The streets of Paris made of wood"),
        ("Two dogs", "Two dogs made of wood"),
    ],
)
def test_a_style_follows_the_noun(caption, expected):
    found = targets("restyle", caption)
    assert expected in {target.prompt for target in found}
    assert len(found) == len(STYLES)


def test_a_style_already_in_the_caption_is_not_added():
    assert len(targets("restyle", "A dog made of wood")) == len(STYLES) - 1


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("A dog runs on a beach", "A dog runs on a city street"),
        ("A dog runs on a beach.", "A dog runs in a dense forest."),
        ("A dog walks along the old beach at night", "A dog walks along a city street at night"),
        ("A man in a suit in the streets of New York", "A man in a suit in a dense forest"),
        ("a red circle moving right over bricks", "a red circle moving right over stripes"),
    ],
)
def test_the_place_is_replaced(caption, expected):
    assert expected in prompts("background", caption)


@pytest.mark.parametrize("caption", ["A dog sleeps", "A cup on a table", "A man in a suit"])
def test_a_caption_without_a_place_has_no_background_target(caption):
    assert targets("background", caption) == []


def test_a_place_that_is_mentioned_again_is_kept():
    assert not prompts("background", "A dog runs on a beach. The beach is empty.")


def test_the_new_place_differs_and_fits_the_preposition():
    found = prompts("background", "A dog walks through a forest")
    assert found and not any("forest" in prompt for prompt in found)
    assert all(prompt.startswith("A dog walks through a ") for prompt in found)
    assert not any("beach" in prompt for prompt in found)
    assert all(nouns_of(place) for place in PLACES)
