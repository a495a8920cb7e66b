import pytest
import torch

from jobs.evaluation.paper.cases import CHANGED, FAST, LONG_FRAMES, alone, draw_case
from strmatch.miniature.scenes import attributes, caption
from strmatch.miniature.splits import combinations
from strmatch.miniature.world import render

CASES = [draw_case(index, "test", seed) for seed in (0, 9) for index in range(16)]


def test_the_kinds_come_in_turn():
    assert [case.kind for case in CASES[:8]] == list(CHANGED)


@pytest.mark.parametrize("case", CASES)
def test_a_target_differs_in_what_the_kind_asks_for_and_in_nothing_else(case):
    before, after = attributes(case.source)._asdict(), attributes(case.target)._asdict()
    assert {name for name in before if before[name] != after[name]} == set(CHANGED[case.kind])
    assert case.source.sprites[1:] == case.target.sprites[1:]
    assert case.source.sprites[0].start == case.target.sprites[0].start
    assert caption(case.source) != caption(case.target)


@pytest.mark.parametrize("case", CASES)
def test_source_and_target_are_of_the_list(case):
    listed = combinations("test")
    for scene in (case.source, case.target):
        shown = attributes(scene)
        if case.kind == "size_change":
            assert any(shown._replace(motion=other.motion) == other for other in listed)
        else:
            assert shown in listed


def test_the_hard_kinds_are_hard():
    by_kind = {case.kind: case.source for case in CASES}
    tracks = render([by_kind["fast_motion"]]).tracks[0, 0]
    assert float((tracks[-1] - tracks[0]).norm()) >= FAST
    assert len(by_kind["two_objects"].sprites) == 2
    masks = render([by_kind["size_change"]]).masks[0, 0].flatten(1).sum(dim=1).float()
    assert float(masks.max() / masks.min()) > 1.5


def test_long_cases_turn_around_or_leave_and_come_back():
    courses = set()
    for seed in range(8):
        case = draw_case(7, "test", seed)
        assert case.kind == "long" and case.num_frames == LONG_FRAMES
        assert case.prompts[0] == caption(case.source, without=("motion",))
        courses.add(case.source.sprites[0].turn > 1)
        assert case.source.sprites[0].turn == case.target.sprites[0].turn
    assert courses == {False, True}


def test_one_seed_gives_one_set_of_cases_and_another_another():
    assert draw_case(3, "dev", 5) == draw_case(3, "dev", 5)
    others = {caption(draw_case(3, "dev", seed).source) for seed in range(8)}
    assert len(others) > 3


def test_alone_a_scene_has_its_subject_only():
    scene = next(case.source for case in CASES if case.kind == "two_objects")
    masks = render([alone(scene)]).masks
    assert masks.shape[1] == 1
    whole = render([scene]).masks[0, 0]
    assert torch.equal(masks[0, 0] & whole, whole)
