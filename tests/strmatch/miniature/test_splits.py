from itertools import combinations as choose
from itertools import product
from typing import get_args

import pytest

from strmatch.miniature.splits import Split, combinations, partners
from strmatch.miniature.vocabulary import BACKGROUNDS, COLOURS, CORE_MOTIONS, SHAPES


def test_the_splits_are_disjoint_and_complete():
    listed = [combination for split in get_args(Split) for combination in combinations(split)]
    everything = set(product(SHAPES, COLOURS, CORE_MOTIONS, BACKGROUNDS))
    assert len(listed) == len(set(listed)) == len(everything)
    assert set(listed) == everything


def test_the_training_split_has_every_pair_of_attributes_often():
    train = combinations("train")
    for one, other in choose((SHAPES, tuple(COLOURS), CORE_MOTIONS, tuple(BACKGROUNDS)), 2):
        for pair in product(one, other):
            assert sum(set(pair) <= set(combination) for combination in train) >= 10, pair


@pytest.mark.parametrize("split", ["dev", "test"])
def test_held_out_splits_have_enough_of_every_value(split):
    listed = combinations(split)
    assert len(listed) >= 50
    for position, values in enumerate((SHAPES, COLOURS, CORE_MOTIONS, BACKGROUNDS)):
        counts = [sum(one[position] == value for one in listed) for value in values]
        assert min(counts) >= len(listed) / len(values) / 2


@pytest.mark.parametrize("split", ["dev", "test"])
@pytest.mark.parametrize("changed", [("colour",), ("shape",), ("shape", "colour"), ("background",)])
def test_the_target_of_every_edit_is_in_the_same_split(split, changed):
    for combination in combinations(split):
        others = partners(combination, split, changed)
        assert others
        for other in others:
            assert other in combinations(split)
            differing = {
                name
                for name in combination._fields
                if getattr(combination, name) != getattr(other, name)
            }
            assert differing == set(changed)
