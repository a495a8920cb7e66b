import pytest

from pipelines.english.change import EditedPrompt
from pipelines.english.parts import part_prompt

SOURCE = "A red car passes a red dog on a meadow"


@pytest.mark.parametrize(
    ("words", "source_word", "target_word", "expected"),
    [
        ("red car", "car", "truck", "A red truck passes a red dog on a meadow"),
        ("red dog", "red", "orange", "A red car passes an orange dog on a meadow"),
        (None, "on a meadow", "on a beach", "A red car passes a red dog on a beach"),
        ("red dog", None, None, "the whole"),
        ("red dog", "horse", "cow", "the whole"),
    ],
)
def test_a_part_swaps_the_words_of_its_object_alone(words, source_word, target_word, expected):
    part = EditedPrompt(
        SOURCE, "the whole", source_word=source_word, target_word=target_word, subject=words
    )
    assert part_prompt(part) == expected
