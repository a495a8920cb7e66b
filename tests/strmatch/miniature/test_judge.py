from typing import get_args

import pytest
import torch

from strmatch.miniature.judge import NONE, judge, score_edit
from strmatch.miniature.scenes import Scene, Sprite, attributes, sample_scene, with_attributes
from strmatch.miniature.splits import Attributes, Split
from strmatch.miniature.vocabulary import COLOURS
from strmatch.miniature.world import render
from tests.strmatch.miniature.corruption import corrupt

NOTHING = Attributes(NONE, NONE, NONE, NONE)


def sample_scenes(count: int) -> list[Scene]:
    generator = torch.Generator().manual_seed(7)
    return [sample_scene(generator, get_args(Split)[index % 3]) for index in range(count)]


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return sample_scenes(60)


@pytest.fixture(scope="module")
def frames(scenes: list[Scene]) -> torch.Tensor:
    return render(scenes).frames


def share_right(frames: torch.Tensor, scenes: list[Scene]) -> float:
    verdicts = judge(frames).verdicts
    right = [verdict == attributes(scene) for verdict, scene in zip(verdicts, scenes, strict=True)]
    return sum(right) / len(right)


def test_rendered_clips_are_judged_correctly(frames, scenes):
    assert share_right(frames, scenes) == 1.0


def test_corrupted_clips_are_judged_correctly(frames, scenes):
    assert share_right(corrupt(frames), scenes) >= 0.99


@pytest.mark.slow
def test_many_rendered_and_corrupted_clips_are_judged_correctly():
    scenes = sample_scenes(120)
    frames = render(scenes).frames
    assert share_right(frames, scenes) == 1.0
    assert share_right(corrupt(frames), scenes) >= 0.99


def test_clips_of_eight_frames_are_judged_correctly(frames, scenes):
    assert share_right(frames[:, ::2], scenes) == 1.0


@pytest.mark.parametrize("kinds", ["harder_motion", "moving_background"])
def test_harder_kinds_with_one_flat_sprite_are_judged_correctly(kinds):
    generator = torch.Generator().manual_seed(8)
    harder = [sample_scene(generator, kinds=kinds) for _ in range(32)]
    assert share_right(render(harder).frames, harder) >= 0.95


def test_masks_and_tracks_match_the_renderer(scenes):
    rendered = render(scenes[:20])
    seen = judge(rendered.frames)
    assert (seen.tracks - rendered.tracks[:, 0]).norm(dim=-1).max() < 0.1
    truth = rendered.masks[:, 0]
    assert (seen.masks & truth).sum() / (seen.masks | truth).sum() > 0.995


def test_noise_shows_nothing():
    generator = torch.Generator().manual_seed(0)
    uniform = torch.randint(0, 256, (4, 16, 64, 64, 3), generator=generator, dtype=torch.uint8)
    normal = (128 + 50 * torch.randn(4, 16, 64, 64, 3, generator=generator)).clamp(0, 255).byte()
    assert judge(torch.cat([uniform, normal])).verdicts == [NOTHING] * 8


def test_blanks_show_nothing():
    fills = [(0, 0, 0), (128, 128, 128), (255, 255, 255), *COLOURS.values()]
    blank = torch.tensor(fills, dtype=torch.uint8)[:, None, None, None].expand(-1, 16, 64, 64, 3)
    assert judge(blank).verdicts == [NOTHING] * len(fills)


def test_an_empty_background_shows_no_subject():
    verdict = judge(render([Scene((), "bricks")]).frames).verdicts[0]
    assert verdict == NOTHING._replace(background="bricks")


def test_a_frozen_frame_stands_still(frames, scenes):
    frozen = frames[:40, 5:6].expand(-1, 16, -1, -1, -1)
    for verdict, scene in zip(judge(frozen).verdicts, scenes, strict=False):
        assert verdict == attributes(scene)._replace(motion="still")


def test_two_separate_sprites_give_no_subject():
    one = Sprite("circle", "red", "right", 20.0, (15.0, 15.0), 30.0)
    other = Sprite("star", "green", "still", 20.0, (45.0, 45.0), 0.0)
    verdict = judge(render([Scene((one, other), "checks")]).frames).verdicts[0]
    assert verdict == NOTHING._replace(background="checks")


@pytest.mark.parametrize(("frames_changed", "seen"), [(6, "red"), (8, NONE), (10, "blue")])
def test_an_attribute_must_hold_in_most_frames(frames_changed, seen):
    scene = Scene((Sprite("circle", "red", "right", 20.0, (15.0, 15.0), 30.0),), "checks")
    clip = render([scene]).frames
    clip[:, :frames_changed] = render([with_attributes(scene, colour="blue")]).frames[
        :, :frames_changed
    ]
    assert judge(clip).verdicts[0] == Attributes("circle", seen, "right", "checks")


CHANGES = [
    {"colour": "blue"},
    {"shape": "star"},
    {"shape": "cross", "colour": "green"},
    {"background": "dots"},
]


@pytest.mark.parametrize("change", CHANGES)
def test_the_counterfactual_passes_every_attribute_and_the_source_none_of_the_changed(change):
    sprite = Sprite("circle", "red", "up", 20.0, (30.0, 45.0), 28.0)
    source = Scene((sprite,), "bricks")
    target = with_attributes(source, **change)
    truth, unedited = judge(render([target, source]).frames).verdicts

    score = score_edit(truth, source, target)
    assert set(score.asked) == set(change)
    assert set(score.asked) | set(score.kept) == set(Attributes._fields)
    assert all(score.asked.values()) and all(score.kept.values())

    score = score_edit(unedited, source, target)
    assert not any(score.asked.values()) and all(score.kept.values())

    score = score_edit(NOTHING, source, target)
    assert not any(score.asked.values()) and not any(score.kept.values())

    frozen = render([source]).frames[:, :1].expand(-1, 16, -1, -1, -1)
    score = score_edit(judge(frozen).verdicts[0], source, target)
    assert not any(score.asked.values()) and not score.kept["motion"]
