import pytest

from pipelines.english.questions import questions
from pipelines.english.word_lists import read_list


def ask(source, target, kind=None, source_word=None, target_word=None, **more):
    row = {
        "row_id": "1",
        "seed": 0,
        "source_prompt": source,
        "target_prompt": target,
        "target_kind": kind,
        "source_word": source_word,
        "target_word": target_word,
    }
    return [tuple(question) for question in questions(row | more)]


def test_a_swapped_noun_is_asked_for_openly_by_choice_and_by_yes_or_no():
    assert ask("A red car turns", "A red owl turns", "noun_far", "car", "owl") == [
        ("open", "What is the main subject of the video?", "A red car.", "A red owl."),
        ("choice", "Does the video show a red car or a red owl?", "A red car.", "A red owl."),
        ("yes_no", "Does the video show a red car?", "Yes.", "No."),
        ("yes_no", "Does the video show a red owl?", "No.", "Yes."),
    ]


def test_the_main_subject_is_asked_for_only_if_it_is_what_is_swapped():
    asked = ask("A man rides a horse", "A man rides a zebra")
    assert [question[0] for question in asked] == ["choice", "yes_no", "yes_no"]
    asked = ask("A man rides a horse", "A robot rides a horse")
    assert [question[0] for question in asked] == ["open", "choice", "yes_no", "yes_no"]


def test_nouns_and_verbs_agree():
    asked = ask("Two dogs run", "Two cats run", "noun_near", "dogs", "cats")
    assert ("yes_no", "Does the video show dogs?", "Yes.", "No.") in asked
    asked = ask("A man in red shoes", "A man in blue shoes", "recolour", "red", "blue")
    assert asked[0] == ("open", "What colour are the shoes?", "Red.", "Blue.")
    assert asked[2] == ("yes_no", "Are the shoes red?", "Yes.", "No.")


def test_backgrounds_and_styles_are_asked_for():
    ends = ("through a meadow", "along a sandy beach")
    asked = ask(f"A dog runs {ends[0]}", f"A dog runs {ends[1]}", "background", *ends)
    assert [question[0] for question in asked] == ["open", "choice", "yes_no", "yes_no"]
    assert asked[0][2:] == ("A meadow.", "A sandy beach.")
    asked = ask("A dog", "A dog made of glass", "restyle", "dog", "dog made of glass")
    assert ("yes_no", "Is the dog made of glass?", "No.", "Yes.") in asked


def test_what_has_no_simpler_words_is_a_choice_of_prompts():
    asked = ask("a dog runs", "a dog sleeps")
    assert [question[0] for question in asked] == ["choice"]
    assert asked[0][2:] == ("“a dog runs”.", "“a dog sleeps”.")


def test_a_colour_that_is_not_named_in_the_source_is_not_asked_for():
    assert ask("A car turns", "A blue car turns", "recolour", "car", "blue car") == []


@pytest.mark.parametrize(
    ("source", "target", "words"),
    [
        ("A dog chases a dog", "A cat chases a dog", ("dog", "cat")),
        ("A car turns", "A sports car turns", ("car", "sports car")),
        ("A dog sits by a bird", "A parrot sits by a bird", ("dog", "parrot")),
    ],
)
def test_answers_that_do_not_exclude_each_other_are_asked_for_openly_only(source, target, words):
    asked = ask(source, target, "noun_near", *words)
    assert [question[0] for question in asked] == ["open"]


def test_colours_that_overlap_are_asked_for_openly_only():
    source, target = "a black and white cat", "a black cat"
    asked = ask(source, target, "recolour", "black and white", "black")
    assert [question[0] for question in asked] == ["open"]


def test_the_order_of_a_choice_is_drawn_and_favours_no_answer():
    asked = [
        ask("A car", "An owl", "noun_far", "car", "owl", row_id=str(i))[1][1] for i in range(200)
    ]
    first = sum(question.index("car") < question.index("owl") for question in asked)
    assert 70 < first < 130


def test_both_answers_of_every_question_differ():
    for asked in read_list("questions.yaml").values():
        for question in asked:
            assert question["source"] != question["edit"]
            assert question["type"] in ("open", "choice", "yes_no")
