import pytest

from jobs.evaluation.objects.cases import draw_object_edits, edited_alone, only
from jobs.evaluation.paper.cases import CHANGED, draw_case
from strmatch.miniature.scenes import attributes
from strmatch.miniature.splits import combinations


@pytest.mark.parametrize("split", ["dev", "test"])
def test_the_first_object_is_that_of_the_paper_suite_and_all_others_change_as_well(split):
    paper = [draw_case(index, split, 4) for index in range(10 * len(CHANGED))]
    cases = draw_object_edits(10, split, 4)
    for case, of_paper in zip(
        cases, [case for case in paper if case.kind == "two_objects"], strict=True
    ):
        assert case.source == of_paper.source
        assert edited_alone(case, {0}) == of_paper.target
        assert edited_alone(case, ()) == case.source
        assert edited_alone(case, (0, 1)) == case.target
        colours = [sprite.colour for sprite in case.target.sprites]
        assert len(set(colours)) == len(colours)
        for index in range(2):
            before, after = attributes(case.source, index), attributes(case.target, index)
            assert before.shape != after.shape and before.colour != after.colour
            assert before[2:] == after[2:] and after in combinations(split)


def test_one_object_of_a_scene():
    (case,) = draw_object_edits(1, "test", 0)
    for index in range(2):
        alone = only(case.target, index)
        assert attributes(alone) == attributes(case.target, index) and len(alone.sprites) == 1
