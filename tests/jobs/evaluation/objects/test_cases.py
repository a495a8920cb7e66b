import pytest

from jobs.evaluation.objects.cases import draw_object_edits, edited_alone, only
from strmatch.miniature.scenes import attributes
from strmatch.miniature.splits import combinations


@pytest.mark.parametrize("split", ["dev", "test"])
@pytest.mark.parametrize("objects", [2, 3])
def test_every_object_changes_shape_and_colour_within_the_list(split, objects):
    cases = draw_object_edits(20, split, 4, objects)
    assert cases[:5] == draw_object_edits(5, split, 4, objects)
    assert cases != draw_object_edits(20, split, 5, objects)
    different = 0
    for case in cases:
        assert len(case.source.sprites) == len(case.target.sprites) == objects
        colours = [sprite.colour for sprite in case.target.sprites]
        different += len(set(colours)) == objects
        for index in range(objects):
            before, after = attributes(case.source, index), attributes(case.target, index)
            assert before.shape != after.shape and before.colour != after.colour
            assert before[2:] == after[2:] and after in combinations(split)
    assert different > 10


def test_objects_are_edited_alone_and_shown_alone():
    (case,) = draw_object_edits(1, "test", 0)
    assert edited_alone(case, ()) == case.source and edited_alone(case, (0, 1)) == case.target
    for index, other in ((0, 1), (1, 0)):
        scene = edited_alone(case, {index})
        assert attributes(scene, index) == attributes(case.target, index)
        assert attributes(scene, other) == attributes(case.source, other)
        alone = only(case.target, index)
        assert attributes(alone) == attributes(case.target, index) and len(alone.sprites) == 1
