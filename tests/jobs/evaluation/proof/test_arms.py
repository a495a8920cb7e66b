import pytest
import torch

from jobs.evaluation.proof.arms import ARMS, BIASED, REJECTED, STR_MATCH, Arm, Changed, Material
from jobs.evaluation.proof.arms import training_set as made

BIAS = 0.95
CHANGES = ("jitter", "hue", "paste", "oracle", "sdedit", "lambda_0", "str_match")


def of_value(values):
    return torch.tensor(values, dtype=torch.uint8).view(-1, 1, 1, 1, 1).expand(-1, 3, 2, 4, 4)


@pytest.fixture
def material():
    """Ten training clips with values 0 to 9, eight of them at `BIAS`. A change of clip i has the
    value 100 + i. Edits of clips 1, 5 and 9 are ok, those of 2 and 3 rejected."""
    every, edited = torch.arange(10), torch.tensor([1, 2, 3, 5, 9])
    whole = Changed(of_value([100 + i for i in range(10)]), every, torch.ones(10).bool())
    edits = Changed(
        of_value([100 + i for i in edited.tolist()]),
        edited,
        torch.tensor([True, False, False, True, True]),
    )
    changed = dict.fromkeys(CHANGES[:4], whole) | dict.fromkeys(CHANGES[4:], edits)
    return Material(of_value(range(10)), every % 4, {BIAS: every[:8]}, changed, {})


def values(material, arm, seed=0):
    clips, labels = made(material, BIAS, arm, seed)
    shown = clips[:, 0, 0, 0, 0].tolist()
    assert labels.tolist() == [value % 100 % 4 for value in shown]
    assert shown[:8] == list(range(8))
    return shown[8:]


@pytest.mark.parametrize("name", [name for name in ARMS if name != BIASED])
def test_every_arm_has_as_many_clips(material, name):
    assert len(values(material, ARMS[name])) == 8


def test_biased_clips_alone_are_joined_by_none(material):
    assert values(material, ARMS[BIASED]) == []


def test_the_verdict_selects_and_other_biases_are_left_out(material):
    assert set(values(material, ARMS[STR_MATCH])) == {101, 105}
    assert set(values(material, ARMS[REJECTED])) == {102, 103}
    assert set(values(material, Arm("str_match"))) == {101, 102, 103, 105}
    assert sorted(values(material, Arm("oracle"))) == list(range(100, 108))


@pytest.mark.parametrize("ratio", [0.25, 0.5, 1.0, 2.0])
def test_the_ratio_is_that_of_joining_to_biased_clips(material, ratio):
    joined = values(material, Arm("oracle", ratio=ratio))
    assert len(joined) == 8 * ratio
    assert {joined.count(value) for value in joined} == {max(1, int(ratio))}


def test_without_a_fit_edit_clips_are_repeated(material):
    none = Changed(of_value([101]), torch.tensor([1]), torch.tensor([False]))
    material.changed["str_match"] = none
    assert sorted(values(material, ARMS[STR_MATCH])) == list(range(8))


def test_seeds_draw_other_clips(material):
    assert len({tuple(values(material, Arm("oracle", ratio=0.5), seed)) for seed in range(6)}) > 1
