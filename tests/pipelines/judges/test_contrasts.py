from pipelines.judges.contrasts import contrasts


def test_contrasts_of_the_small_world_are_all_other_words_of_one_kind():
    found = contrasts("a red circle moving right over bricks", 8)
    expected = [f"a red {shape} moving right over bricks" for shape in SHAPES]
    expected += [f"{colour} circle moving right over bricks" for colour in COLOURS]
    expected += [f"a red circle moving right over {name}" for name in ("dots", "stripes", "checks")]
    assert sorted(found) == sorted(expected)


SHAPES = ("square", "triangle", "star", "cross")
COLOURS = ("an orange", "a yellow", "a green", "a blue", "a purple")


def test_the_number_of_contrasts_is_limited_by_kind():
    assert len(contrasts("a red circle moving right over bricks", 2)) == 6
    assert contrasts("moving right", 8) == []
