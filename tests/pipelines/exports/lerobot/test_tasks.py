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


def test_a_task_names_all_objects_of_an_edit():
    """Red becomes blue while blue becomes green."""
    pairs = [("red", "blue"), ("blue", "orange")]
    edits = [
        {"kind": "recolour", "words": "", "source_word": old, "target_word": new, "where": ""}
        for old, new in pairs
    ]
    prompt = EditedPrompt("two cubes", "two other cubes", "several", edits=edits)
    task = "Put the red cube on a blue cube."
    assert rewrite(task, prompt) == "Put the blue cube on an orange cube."
