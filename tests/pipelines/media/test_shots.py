"""Detected cuts equal the true cuts in real and in generated clips."""

import numpy as np
import pytest
import torch

from pipelines.media.shots import Shots, shot_starts, small_frames
from pipelines.media.video.opening import open_video
from pipelines.media.video.reader import Video
from strmatch.miniature.scenes import HARDER_KINDS, sample_scene
from strmatch.miniature.world import render
from tests.pipelines.support.videos import (
    BIKES,
    MEGAMIND,
    coded_frames,
    real_clip,
    shot,
    write_video,
)


def cuts(*shots):
    frames = np.concatenate(shots)
    starts = [*shot_starts(frames)]
    assert len(starts) == len(frames) and starts[0]
    return [number for number, start in enumerate(starts) if start and number]


def fade(frames):
    """Fade to black over all the frames."""
    left = np.linspace(1, 0, len(frames))[:, None, None, None]
    return (frames * left).astype(np.uint8)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bikes.mp4", BIKES),
        ("bigbuckbunny.mp4", []),
        ("carphone_pristine.mp4", []),
        ("Megamind.avi", MEGAMIND),
        ("tree.avi", []),
        ("vtest.avi", []),
    ],
)
def test_cuts_of_real_clips_are_found(name, expected):
    with open_video(real_clip(name)) as video:
        frames = small_frames(video.pictures(range(len(video.timestamps))))
        assert [i for i, start in enumerate(shot_starts(frames)) if start and i] == expected


def test_cuts_are_found_at_their_frames():
    assert cuts(shot(0, 20), shot(1, 30), shot(2, 3), shot(3, 20)) == [20, 50, 53]


@pytest.mark.parametrize("count", [1, 2])
def test_a_few_frames_of_another_shot_at_either_end_are_a_shot(count):
    assert cuts(shot(0, count), shot(1, 20)) == [count]
    assert cuts(shot(0, 20), shot(1, count)) == [20]


def test_a_video_of_one_frame_is_one_shot():
    assert cuts(shot(0, 1)) == []


@pytest.mark.parametrize("speed", [0, 1, 4, 12, 40])
def test_a_pan_is_no_cut(speed):
    assert cuts(shot(0, 60, speed)) == []


def test_motion_that_starts_and_stops_is_no_cut():
    still = shot(0, 20, 0)
    whip = shot(0, 20, 25)
    assert cuts(still, whip, np.repeat(whip[-1:], 20, axis=0)) == []


def test_a_large_object_that_passes_fast_is_no_cut():
    frames = shot(0, 60)
    for i in range(12):
        frames[20 + i, 10:, max(0, 24 * i - 96) : 24 * i] = (200, 60, 60)
    assert cuts(frames) == []


@pytest.mark.parametrize("light", ["white", "bright", "black"])
@pytest.mark.parametrize("length", [1, 2, 4, 6])
def test_a_flash_is_no_cut(light, length):
    frames = shot(0, 60)
    lit = frames[20 : 20 + length]
    lit[:] = {"white": 255, "black": 0, "bright": np.clip(2 * lit.astype(int) + 60, 0, 255)}[light]
    assert cuts(frames) == []
    assert cuts(shot(1, 15), frames) == [15]


def test_a_strobe_is_no_cut():
    frames = shot(0, 60)
    frames[20:40:3] = 255
    assert cuts(frames) == []


@pytest.mark.parametrize("level", [0, 255])
@pytest.mark.parametrize("length", [1, 2, 4, 12])
def test_a_blink_between_two_shots_is_a_cut(level, length):
    blink = np.full((length, *shot(0, 1).shape[1:]), level, np.uint8)
    found = cuts(shot(0, 30), blink, shot(1, 30))
    assert found and set(found) <= {30, 30 + length}


@pytest.mark.parametrize("grey", [False, True])
def test_the_black_between_two_fades_belongs_to_neither_shot(grey):
    one, other = shot(0, 45), shot(1, 45)
    if grey:
        one[:], other[:] = one[..., :1], other[..., :1]
    one[20:], other[:25] = fade(one[20:]), fade(other[:25][::-1])[::-1]
    found = np.array(cuts(one, np.zeros_like(shot(0, 15)), other))
    # From the last nearly black frame of one fade to the first visible frame of the other.
    last_of_one, first_of_other = (found <= 45) & (found >= 40), (found >= 60) & (found <= 65)
    assert last_of_one.any() and first_of_other.any()
    assert (last_of_one | first_of_other).all()


def test_noise_is_no_cut():
    assert cuts(coded_frames(60)) == []


def test_the_small_world_has_no_cuts():
    generator = torch.Generator().manual_seed(0)
    scenes = [sample_scene(generator) for _ in range(60)]
    scenes += [sample_scene(generator, kinds=kind) for kind in HARDER_KINDS for _ in range(20)]
    for frames in render(scenes).frames.numpy():
        assert cuts(frames) == []


@pytest.fixture
def counted(monkeypatch):
    """The numbers of the frames that were decoded, one at a time."""
    picture, numbers = Video._exact_picture, []

    def counting(video, number):
        numbers.append(number)
        return picture(video, number)

    monkeypatch.setattr(Video, "_exact_picture", counting)
    return numbers


def test_a_video_is_decoded_only_as_far_as_requested(tmp_path, counted):
    frames = np.concatenate([shot(0, 100), shot(1, 700)])
    path = write_video(tmp_path / "long.mp4", frames)
    with open_video(str(path)) as video:
        found = Shots(video)
        assert found.end(0, 50) == 50
        assert len(counted) < 60
        assert found.end(0, 100) == 100  # decoding stops there, before the next frame is seen
        assert found.end(0, 101) == found.end(0, 300) == 100
        assert found.end(100, 310) == 310
        assert counted == [*range(len(counted))] and len(counted) < 320
        assert found.end(100, 800) == 800
        assert counted == [*range(800)]
