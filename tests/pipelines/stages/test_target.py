import pytest

from pipelines.captioners.template import TemplateCaptioner
from pipelines.config.loading import load_config
from pipelines.errors import RowError
from pipelines.schema import TARGET
from pipelines.stages.caption import Caption, name_subject
from pipelines.stages.target import Target
from pipelines.target_prompt import TargetPrompt
from tests.pipelines.support.prompters import noun_swap

PROMPTER = noun_swap(("noun_near", "recolour"))


def test_targets_describe_how_they_were_derived():
    row = {
        "targets": None,
        "clip_id": "x",
        "subject": None,
        "source_prompt": "a red square over dots",
    }
    near, coloured = Target(PROMPTER, 2, 0)(row)["targets"]
    assert list(near) == [field.name for field in TARGET]
    assert (near["kind"], near["source_word"], near["distance"]) == ("noun_near", "square", 2)
    assert near["prompt"] == f"a red {near['target_word']} over dots"
    assert (coloured["kind"], coloured["source_word"], coloured["distance"]) == (
        "recolour",
        "red",
        0,
    )
    assert coloured["prompt"].endswith(f"{coloured['target_word']} square over dots")


def test_targets_depend_on_clip_and_seed():
    row = {"targets": None, "clip_id": "x", "subject": None, "source_prompt": "a cat"}
    chosen = {
        (clip, seed): str(Target(PROMPTER, 2, seed)(row | {"clip_id": clip})["targets"])
        for clip in "abcdef"
        for seed in (0, 1)
    }
    assert len(set(chosen.values())) > 3
    assert Target(PROMPTER, 2, 0)(row) == Target(PROMPTER, 2, 0)(row)


def test_texts_are_of_composed_characters():
    decomposed = "A cafe\u0301 in a street "
    row = {"caption": decomposed, "subject": "cafe\u0301", "clip_id": "x", "targets": None}
    row |= Caption("template", None)(row)
    row |= name_subject(row)
    assert (row["source_prompt"], row["subject"]) == ("A café in a street", "café")
    assert "\u0301" not in str(Target(PROMPTER, 4, 0)(row)["targets"])
    given = row | {"targets": [TargetPrompt("a re\u0301d dog").as_row()]}
    assert Target(PROMPTER, 4, 0)(given)["targets"][0]["prompt"] == "a réd dog"


def test_targets_of_the_manifest_are_kept():
    given = [TargetPrompt("a dog").as_row()]
    row = {"targets": given, "clip_id": "x", "subject": None, "source_prompt": "a cat"}
    assert row | Target(PROMPTER, 2, 0)(row) == row


def test_a_caption_that_cannot_be_parsed_is_refused_with_advice():
    row = {"targets": None, "clip_id": "x", "subject": None, "source_prompt": "the sublime"}
    with pytest.raises(RowError, match="'the sublime': give targets in the manifest"):
        Target(PROMPTER, 2, 0)(row)


def test_a_caption_of_the_manifest_takes_precedence():
    stage = Caption("template", TemplateCaptioner(load_config()))
    row = {"caption": " a cat ", "source_video": b""}
    assert stage(row) == {"source_prompt": "a cat", "caption_source": "manifest"}


def test_the_subject_comes_from_the_manifest_or_else_from_the_caption():
    row = {"subject": None, "source_prompt": "A small brown dog chases a cat"}
    assert name_subject(row) == {"subject": "small brown dog"}
    assert name_subject(row | {"subject": " cat "}) == {"subject": "cat"}
    assert name_subject(row | {"source_prompt": "the sublime"}) == {"subject": None}
    prompts = Target(PROMPTER, 2, 0)(row | {"subject": "cat", "targets": None, "clip_id": "x"})
    assert {target["source_word"] for target in prompts["targets"]} == {"cat"}
    with pytest.raises(RowError, match="no horse that could be another in 'A small brown dog"):
        Target(PROMPTER, 2, 0)(row | {"subject": "horse", "targets": None, "clip_id": "x"})
