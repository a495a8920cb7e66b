import pytest

from pipelines.errors import RowError
from pipelines.stages.caption import Caption, TemplateCaptioner
from pipelines.stages.target import SIBLINGS, NounPrompter, Target


@pytest.mark.parametrize(
    ("prompt", "before", "after"),
    [
        ("a red circle moving right over bricks", "a red ", " moving right over bricks"),
        ("A cat sleeps.", "A ", " sleeps."),
        ("two people and the Dog", "two people and the ", ""),
    ],
)
def test_the_noun_and_nothing_else_is_replaced(prompt, before, after):
    targets = NounPrompter()(prompt, 3, seed=0)
    assert len(set(targets)) == 3
    for target in targets:
        assert target != prompt
        noun = target.lower().removeprefix(before.lower()).removesuffix(after)
        assert any(noun.removeprefix("n ") in family for family in SIBLINGS)


def test_the_article_goes_with_the_noun():
    targets = NounPrompter()("A ball and a cat", 10, seed=0)
    assert "An apple and a cat" in targets
    targets = NounPrompter()("an elephant in a car", 20, seed=0)
    assert "a fox in a car" in targets
    assert not any(target.startswith("an ") for target in targets)


def test_the_same_seed_gives_the_same_targets():
    prompt = "a cat on a sofa"
    assert NounPrompter()(prompt, 2, seed=5) == NounPrompter()(prompt, 2, seed=5)
    assert len({tuple(NounPrompter()(prompt, 2, seed=s)) for s in range(10)}) > 1


def test_targets_depend_on_clip_and_seed():
    row = {"targets": None, "clip_id": "x", "source_prompt": "a cat"}
    chosen = {
        (clip, seed): tuple(Target(NounPrompter(), 2, seed)(row | {"clip_id": clip})["targets"])
        for clip in "abcdef"
        for seed in (0, 1)
    }
    assert len(set(chosen.values())) > 3
    assert Target(NounPrompter(), 2, 0)(row) == Target(NounPrompter(), 2, 0)(row)


def test_the_manifests_targets_are_kept():
    row = {"targets": [" a dog "], "clip_id": "x", "source_prompt": "a cat"}
    assert Target(NounPrompter(), 2, 0)(row) == {"targets": ["a dog"]}


def test_a_prompt_without_a_known_noun_is_refused_with_the_way_out():
    row = {"targets": None, "clip_id": "x", "source_prompt": "the sublime"}
    with pytest.raises(RowError, match="'the sublime': give targets in the manifest"):
        Target(NounPrompter(), 2, 0)(row)


def test_the_manifests_caption_comes_first():
    stage = Caption("template", TemplateCaptioner("a video of an object"))
    row = {"caption": " a cat ", "source_video": b""}
    assert stage(row) == {"source_prompt": "a cat", "caption_source": "manifest"}
