import json

import pytest

from pipelines.english.swaps import Swap
from pipelines.judges.rubric import Verdict, check, question
from pipelines.vision_language.checked_answer import WrongAnswer


def answer(**changes):
    fields = {"instruction": 4, "preservation": 3, "quality": 2, "words": ["yes", "no"]}
    return json.dumps(fields | changes)


@pytest.mark.parametrize(
    "text",
    [
        answer(),
        f" \n{answer()}\n",
        f"```json\n{answer()}\n```",
        f"```\n{answer()}\n```",
        answer(words=["Yes", "NO"]),
    ],
)
def test_an_answer_in_the_requested_form_is_read(text):
    assert check(text, 2) == Verdict(4, 3, 2, (True, False))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is not JSON alone."),
        ("Sure!", "it is not JSON alone."),
        (f"Here you are: {answer()}", "it is not JSON alone."),
        (f"{answer()} Anything else?", "it is not JSON alone."),
        (answer()[:-1], "it is not JSON alone."),
        ("[" * 100_000, "it is not JSON alone."),
        ("```json\n```", "it is not JSON alone."),
        ("```" + "\n" * 1_000_000, "it is not JSON alone."),
        (f"[{answer()}]", "it is not an object with the fields instruction, "),
        ("null", "it is not an object"),
        ("{}", "it is not an object"),
        (answer(reason="good"), "it is not an object"),
        (answer().replace("{", '{"quality": 5, '), "it is not an object"),
        (answer().replace("preservation", "fidelity"), "it is not an object"),
        (answer(instruction=0), 'its "instruction" is not a whole number from 1 to 5.'),
        (answer(preservation=6), 'its "preservation" is not a whole number'),
        (answer(quality=3.5), 'its "quality" is not a whole number'),
        (answer(quality="3"), 'its "quality" is not a whole number'),
        (answer(quality=True), 'its "quality" is not a whole number'),
        (answer(quality=float("nan")), 'its "quality" is not a whole number'),
        (answer(words=["yes"]), 'its "words" is not a list of 2 answers.'),
        (answer(words="yes"), 'its "words" is not a list of 2 answers.'),
        (answer(words=["yes", "perhaps"]), 'its "words" has answers other than yes and no.'),
        (answer(words=["yes", True]), 'its "words" has answers other than yes and no.'),
        (answer(words=["yes", ["no"]]), 'its "words" has answers other than yes and no.'),
    ],
)
def test_another_answer_is_refused_with_the_reason(text, reason):
    with pytest.raises(WrongAnswer) as raised:
        check(text, 2)
    assert raised.value.reason.startswith(reason)


@pytest.mark.parametrize(
    ("verdict", "score"),
    [
        (Verdict(5, 5, 5), 5.0),
        (Verdict(5, 4, 3), 4.0),
        (Verdict(2, 5, 5), 2.0),  # the later scores count at most as much as the first
        (Verdict(3, 5, 1), 7 / 3),
        (Verdict(5, 4, 3, (True, True)), 4.0),
        (Verdict(5, 5, 5, (True, False)), 1.0),
        (Verdict(1, 1, 1), 1.0),
    ],
)
def test_the_score_is_the_mean_bounded_by_the_first(verdict, score):
    assert verdict.score == pytest.approx(score)


def test_the_question_has_both_prompts_and_a_question_for_every_swap():
    swaps = [Swap("red circle", "star"), Swap("", "on grass"), Swap("fast", "")]
    text = question("a red circle fast", "a star on grass", swaps)
    assert "The source shows: a red circle fast\n" in text
    assert "The edit was to show: a star on grass\n" in text
    assert '\n1. Is "star" seen in the edit in place of "red circle", which is gone?\n' in text
    assert '\n2. Is "on grass" seen in the edit?\n' in text
    assert '\n3. Is "fast" of the source gone from the edit?\n' in text
    assert text.endswith('"words": ["yes or no", "yes or no", "yes or no"]}')
    assert question("a cat", "a cat", []).endswith('"words": []}')
