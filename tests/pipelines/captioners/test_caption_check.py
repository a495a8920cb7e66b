import pytest

from pipelines.captioners.caption_check import INSTRUCTION, ask_for_caption, check
from pipelines.config.sections import Captions
from pipelines.errors import Rejected
from pipelines.vision_language.checked_answer import WrongAnswer

GOOD = "A brown dog runs along a sandy beach."
REFUSED = (
    ("", "it is empty."),
    ("   \n", "it is empty."),
    ("A brown dog runs on the", "it does not end with a full stop."),
    ("Is a dog running on a beach?", "it does not end with a full stop."),
    (f"{GOOD} The sun shines.", "it is not exactly one sentence."),
    ("A dog runs... on a sandy beach.", "it is not exactly one sentence."),
    (f"Sure! {GOOD}", "it begins with 'Sure', not with the subject."),
    (f"Sure, here is a caption: {GOOD}", "it begins with 'Sure'"),
    (f"Here's the sentence: {GOOD}", 'it begins with "Here\'s"'),
    (f"Caption: {GOOD}", "it begins with 'Caption:'"),
    (f"Caption of the video: {GOOD}", "it begins with 'Caption of the video:'"),
    ("The video shows that a dog runs on a beach.", "it begins with 'The video'"),
    ("The video is about a dog on a beach.", "it begins with 'The video'"),
    (f"**{GOOD}**", "it has markup in it."),
    (f"- {GOOD}", "it has markup in it."),
    (f"1. {GOOD}", "it has markup in it."),
    (f"<think>Look.</think> {GOOD}", "it has markup in it."),
    ('{"caption": "A dog runs on a beach."}', "it has markup in it."),
    ("I see a brown dog on a beach.", "it speaks of the one who answers."),
    ("I'm sorry, but I can't help with that.", "it speaks of the one who answers."),
    ("Sorry, this video can not be described.", "it speaks of the one who answers."),
    ("As an AI model it is not possible to view videos.", "it speaks of the one who answers."),
    ("The content cannot be determined from the frames.", "it speaks of the one who answers."),
    ("A dog runs.", "it has 3 words, not 4 to 40."),
    (f"A dog runs {'and runs ' * 20}on a beach.", "it has 46 words, not 4 to 40."),
    ("Slowly and quietly it is raining.", "it names no subject."),
    ("一只狗在海滩上奔跑.", "it has 1 words"),
)


@pytest.mark.parametrize(("answer", "reason"), REFUSED)
def test_an_invalid_caption_is_refused_with_the_reason(answer, reason):
    with pytest.raises(WrongAnswer) as raised:
        check(answer, Captions())
    assert raised.value.reason.startswith(reason)


@pytest.mark.parametrize(
    ("answer", "caption"),
    [
        (GOOD, GOOD),
        (f'  "{GOOD}"\n', GOOD),
        (f"“{GOOD}”", GOOD),
        ("A brown dog\nruns along a beach.", "A brown dog runs along a beach."),
        ("The video shows a dog running.", "A dog running."),
        ("In this short clip, a dog runs fast.", "A dog runs fast."),
        ("In the video, we can see two dogs running.", "Two dogs running."),
        ("A close-up video of a dog that runs.", "A dog that runs."),
        ("This short video depicts dogs in a park.", "Dogs in a park."),
        ("A picture of a dog hangs on a wall.", "A picture of a dog hangs on a wall."),
        ("a dog runs along a beach.", "A dog runs along a beach."),
        ("A film crew stands on a street.", "A film crew stands on a street."),
        ("An okapi eats leaves, slowly.", "An okapi eats leaves, slowly."),
        ("A woman's dog, a 2.5 kg terrier, runs.", "A woman's dog, a 2.5 kg terrier, runs."),
    ],
)
def test_a_caption_is_cleaned(answer, caption):
    assert check(answer, Captions(min_words=3)) == caption
    assert check(caption, Captions(min_words=3)) == caption


def test_the_length_limits_come_from_the_configuration():
    assert check("A dog runs.", Captions(min_words=3)) == "A dog runs."
    with pytest.raises(WrongAnswer, match="it has 8 words, not 4 to 6"):
        check(GOOD, Captions(max_words=6))


class Model:
    """Gives prepared answers one after the other and records the questions."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def __call__(self, instruction):
        self.asked.append(instruction)
        return self.answers.pop(0)


def test_a_valid_answer_needs_one_request():
    model = Model(GOOD)
    assert ask_for_caption(model, Captions()) == GOOD
    assert model.asked == [INSTRUCTION]


def test_an_invalid_answer_is_requested_again_with_the_reason():
    model = Model(f"Sure! {GOOD}", GOOD)
    assert ask_for_caption(model, Captions()) == GOOD
    first, second = model.asked
    assert second.startswith(first) and "it begins with 'Sure'" in second


def test_two_invalid_answers_reject_the_row_with_the_last_one_shortened():
    model = Model("Sure!", "On and on " * 100)
    with pytest.raises(Rejected) as raised:
        ask_for_caption(model, Captions())
    assert raised.value.type == "BadCaption"
    assert raised.value.message.startswith("the model answered 'On and on On and on ")
    assert raised.value.message.endswith("…', twice no caption: it does not end with a full stop.")
    assert len(raised.value.message) < 220
    assert len(model.asked) == 2
