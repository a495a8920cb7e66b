import random
import re
from collections import Counter

import pytest

from pipelines.english.instructions import instruction_columns, instructions
from pipelines.english.questions import questions
from pipelines.english.word_lists import read_list
from tests.pipelines.english.captions import captions
from tests.pipelines.support.prompters import noun_swap

KINDS = ("noun_near", "noun_far", "recolour", "restyle", "background")
RED_CAR = {
    "row_id": "1",
    "seed": 0,
    "source_prompt": "A red car turns",
    "target_prompt": "A red truck turns",
    "target_kind": "noun_near",
    "source_word": "car",
    "target_word": "truck",
}


@pytest.fixture(scope="module")
def planned():
    """Rows of edits, as planned for captions of stock footage."""
    said = captions()
    rng = random.Random(0)
    rows = []
    for number, each in enumerate(rng.sample(said, 60)):
        for target in noun_swap(KINDS)(each.caption, None, 5, number):
            row = {f"target_{n}": v for n, v in target.as_row().items()}
            row |= {"source_word": target.source_word, "target_word": target.target_word}
            row |= {"source_prompt": each.caption, "row_id": str(len(rows)), "seed": 0}
            rows.append(row)
    assert len(rows) > 200
    return rows


def test_every_kind_has_at_least_five_wordings():
    templates = read_list("instructions.yaml")
    assert all(len(set(texts)) >= 5 for texts in templates.values())


def test_planned_edits_are_told_by_their_kind_and_words(planned):
    for row in planned:
        told = instructions(row)
        assert len(set(told.there)) == len(told.there) >= 5
        assert len(set(told.back)) == len(told.back) >= 5
        for text in told.there + told.back:
            assert re.fullmatch(r"[A-Z][^{}“”]*[.]", text), text
            assert "  " not in text
        new = row["target_word"].split()[-1]
        assert all(new in text for text in told.there), (row, told.there)


def test_articles_stand_before_singular_nouns_only(planned):
    nouns = Counter()
    for row in planned:
        if row["target_kind"] != "noun_near":
            continue
        target = instructions(row).there[0].lower()
        word = row["target_word"].lower()
        if re.search(rf"\b(?:two|three|several)\b.* {word}", row["target_prompt"].lower()):
            assert not re.search(rf"\ban? (?:\w+ )?{word}\b", target), target
            nouns["plural"] += 1
        if re.search(rf"\b(?:a|an) {word}\b", row["target_prompt"].lower()):
            assert re.search(rf"\b(?:a|an) {word}\b", target), target
            nouns["singular"] += 1
    assert nouns["plural"] >= 2 and nouns["singular"] >= 20


def test_wordings_are_drawn_by_the_seed_and_the_row():
    first = instructions(RED_CAR)
    assert instructions(RED_CAR) == first
    drawn = {instructions(RED_CAR | {"row_id": str(i)}).there[0] for i in range(60)}
    assert drawn == set(first.there)
    assert "Replace the red car with a red truck." in drawn
    seeds = {instructions(RED_CAR | {"seed": seed}).there[0] for seed in range(60)}
    assert seeds == drawn
    assert sorted(instructions(RED_CAR | {"seed": None}).there) == sorted(first.there)


def test_the_columns_are_the_first_wordings():
    told = instructions(RED_CAR)
    expected = {"instruction": told.there[0], "inverse_instruction": told.back[0]}
    assert instruction_columns(RED_CAR) == expected


def test_instructions_that_a_row_has_are_the_first():
    told = instructions(RED_CAR)
    columns = {"instruction": told.there[3], "inverse_instruction": "Undo it."}
    again = instructions(RED_CAR | columns)
    assert again.there == [told.there[3], *told.there[:3], *told.there[4:]]
    assert again.back == ["Undo it.", *told.back]


def test_no_text_of_a_user_keeps_an_edit_from_being_told():
    said = [each.caption for each in captions()]
    odd = [
        "",
        " ",
        "\n",
        ".",
        "🚤",
        "the",
        "A",
        "red",
        "black and white",
        "an orange",
        "of",
        "in her",
    ]
    odd += [
        "’s",
        "dog's",
        "s'",
        "{x}",
        "“",
        '"',
        "一只狗",
        "Rex",
        "1",
        "made of",
        ",",
        "-",
        "\u2028",
    ]
    rng = random.Random(0)

    def text():
        words = rng.choice(said).split()
        for _ in range(rng.randint(0, 4)):
            words.insert(rng.randint(0, len(words)), rng.choice(odd))
        return " ".join(words[rng.randint(0, len(words)) :])

    def word(prompt):
        return rng.choice([None, rng.choice(odd), *prompt.split()[:3]])

    for number in range(2000):
        source, target = text(), text()
        if rng.random() < 0.5:
            target = source.replace(word(source) or "a", rng.choice(odd))
        row = {"row_id": str(number), "source_prompt": source, "target_prompt": target}
        row |= {"target_kind": rng.choice([None, *KINDS]), "subject": word(source)}
        row |= {"source_word": word(source), "target_word": word(target)}
        row |= {"target_where": rng.choice(["subject", "background", "all"])}
        told = instructions(row)
        assert len(told.there) >= 5 and len(told.back) >= 5
        for question in questions(row):
            assert question.source != question.edit


def part(words, kind, source_word, target_word, where="subject"):
    given = {"words": words, "kind": kind, "source_word": source_word, "target_word": target_word}
    return given | {"object": 0, "prompt": "", "distance": 0, "where": where}


BOTH = {
    "row_id": "1",
    "seed": 0,
    "source_prompt": "A red car passes a dog on a meadow",
    "target_prompt": "A blue car passes a fox on a meadow",
    "target_kind": "several",
    "edits": [
        part("red car", "recolour", "red", "blue"),
        part("dog", "noun_near", "dog", "fox"),
    ],
}


def test_an_edit_of_two_objects_is_one_sentence():
    told = instructions(BOTH)
    assert "Turn the red car blue and the dog into a fox." in told.there
    assert "Turn the blue car red and the fox into a dog." in told.back
    assert len(told.there) == len({*told.there}) >= 5 and len(told.back) >= 5
    for text in told.there + told.back:
        assert re.fullmatch(r"[A-Z][^{}“”.:]*[.]", text), text
        assert text.count(" and ") == 1, text
    assert instructions(BOTH) == told
    assert instruction_columns(BOTH)["instruction"] == told.there[0]
    assert instructions(BOTH | {"instruction": "Do so."}).there == ["Do so.", *told.there]


def test_both_objects_are_named_where_they_have_one_noun():
    row = BOTH | {"source_prompt": "a red circle and a blue circle over dots"}
    row["target_prompt"] = "a pink circle and a green circle over dots"
    row["edits"] = [
        part(f"{old} circle", "recolour", old, new)
        for old, new in (("red", "pink"), ("blue", "green"))
    ]
    for text in instructions(row).there:
        assert text.count("circle") == 2, text
    edited = [text for text in instructions(BOTH).there if text.startswith("Edit the video")]
    assert all(text.count("the video") == 1 for text in edited)


def test_three_changes_are_a_list():
    edits = [
        *BOTH["edits"],
        part(None, "background", "on a meadow", "on a sandy beach", "background"),
    ]
    for text in instructions(BOTH | {"edits": edits}).there:
        assert re.fullmatch(r"[^,]*, [^,]* and [^,]*", text), text
        assert all(word in text for word in ("blue", "fox", "beach"))


def test_an_object_whose_change_has_no_words_is_told_by_the_prompts():
    edits = [BOTH["edits"][0], part("dog", None, None, None)]
    for text in instructions(BOTH | {"edits": edits}).there:
        assert "“A red car passes a dog on a meadow”" in text or "“a red car" in text.lower()


def test_questions_are_asked_about_each_object():
    asked = [each.question for each in questions(BOTH)]
    assert any("colour" in question for question in asked)
    assert any("fox" in question for question in asked)
