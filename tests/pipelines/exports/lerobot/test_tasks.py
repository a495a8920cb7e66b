import pytest

from pipelines.english.change import EditedPrompt
from pipelines.exports.lerobot.tasks import rewrite

RED = "Pick up the red cube."


@pytest.mark.parametrize(
    ("task", "prompt", "words", "expected"),
    [
        (RED, (RED, "Pick up the blue cube."), ("red", "blue"), "Pick up the blue cube."),
        # A captioner described the clip; the task has the word, or has it not.
        (RED, ("a robot arm and a red cube", "…"), ("cube", "sphere"), "Pick up the red sphere."),
        ("Take an apple", ("an apple", "a peach"), ("apple", "peach"), "Take a peach"),
        ("Open the drawer", ("a red drawer", "…"), ("red", "blue"), "Open the drawer"),
        ("Move the cubes", ("a cube", "…"), ("cube", "sphere"), "Move the cubes"),
        ("Cube to cube", ("a cube", "…"), ("cube", "ball"), "Ball to ball"),
        (RED, ("a red cube", "a beach"), (None, None), RED),
    ],
)
def test_a_task_changes_where_the_replaced_word_stands(task, prompt, words, expected):
    assert rewrite(task, EditedPrompt(*prompt, "noun_near", *words)) == expected
