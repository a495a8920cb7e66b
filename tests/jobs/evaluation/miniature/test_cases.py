from collections import Counter

from jobs.evaluation.miniature.cases import (
    KINDS,
    captions_to_tell_apart,
    draw_edits,
    draw_long_edits,
    draw_scenes,
)
from strmatch.miniature.scenes import attributes, caption
from strmatch.miniature.splits import combinations


def test_scenes_are_of_the_list_and_differ_from_seed_to_seed():
    scenes = draw_scenes(40, "test", 1)
    assert {attributes(scene) for scene in scenes} <= set(combinations("test"))
    assert scenes == draw_scenes(40, "test", 1)
    assert not set(scenes) & set(draw_scenes(40, "test", 2))
    assert scenes[:10] == draw_scenes(10, "test", 1)


def test_sources_and_targets_of_edits_are_of_the_list_and_differ_as_asked():
    cases = draw_edits(30, "test", 1)
    listed = set(combinations("test"))
    for index, case in enumerate(cases):
        before, after = attributes(case.source), attributes(case.target)
        assert {before, after} <= listed
        changed = {n for n, a, b in zip(before._fields, before, after, strict=True) if a != b}
        assert changed == set(KINDS[index % 3])
        assert case.source.sprites[0].start == case.target.sprites[0].start


def test_backgrounds_can_be_asked_for_too():
    (case,) = draw_edits(1, "dev", 0, kinds=[("background",)])
    assert case.source.background != case.target.background
    assert case.source.sprites == case.target.sprites


def test_long_edits_are_the_same_edits_with_lengths_and_courses_in_turn():
    edits, cases = draw_edits(12, "test", 3), draw_long_edits(12, "test", 3, (48, 80, 32))
    assert [case.num_frames for case in cases] == [48, 80, 32] * 4
    turns = set()
    for index, (case, edit) in enumerate(zip(cases, edits, strict=True)):
        assert edit.prompts == (caption(edit.source), caption(edit.target))
        short = tuple(caption(scene, without=("motion",)) for scene in (edit.source, edit.target))
        assert case.prompts == short
        for scene in (case.source, case.target):
            assert scene.duration == (case.num_frames - 1) / 15
            turns.add((index % 2, scene.sprites[0].turn > 1))
    assert turns == {(0, False), (1, True), (1, False)}  # some figures stand still


def test_captions_differ_in_what_a_frame_shows():
    (scene,) = draw_scenes(1, "test", 3)
    captions = captions_to_tell_apart(scene, 100, 0)
    assert len(set(captions)) == 100
    motion = {" ".join(text.split()[3:-2]) for text in captions}
    assert len(motion) == 1
    assert Counter(captions) != Counter(captions_to_tell_apart(scene, 100, 1))
