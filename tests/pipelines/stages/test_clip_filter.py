import numpy as np
import pytest

from pipelines.config.loading import load_config
from pipelines.errors import Rejected
from pipelines.media.encode import decode_video, encode_video
from pipelines.media.frames import fit
from pipelines.media.video.opening import open_video
from pipelines.stages.clip_filter import ClipFilter
from strmatch.miniature.scenes import Scene, Sprite
from strmatch.miniature.world import render
from tests.pipelines.support.videos import real_clip, shot


def reasons(clips, *settings):
    """The reason for which each clip of a video is skipped, None if the clip is kept."""
    skip = ClipFilter(load_config(assignments=settings).clip)
    found = []
    for number, frames in enumerate(clips):
        try:
            found.append(skip(frames, float(number), 8.0))
        except Rejected as reason:
            found.append(reason.type)
    return found


def real_windows(name, size=(320, 512)):
    """Windows of 16 frames, one after the other."""
    with open_video(real_clip(name)) as video:
        frames = video.frames(range(len(video.timestamps) // 16 * 16))
    return np.split(fit(frames, *size, "crop"), len(frames) // 16)


def world(motion, displacement, count):
    sprite = Sprite("circle", "red", motion, 16.0, (28.0, 32.0), displacement)
    return np.split(render([Scene((sprite,), "bricks")], 8 * count).frames[0].numpy(), count)


@pytest.mark.parametrize("name", ["bikes.mp4", "bigbuckbunny.mp4", "carphone_pristine.mp4"])
def test_real_clips_are_kept(name):
    windows = real_windows(name)
    assert set(reasons(windows, "clip.skip_static=8")) == {None}


def test_a_repeated_clip_is_a_duplicate_under_any_encoding():
    first, *_ = real_windows("carphone_pristine.mp4")
    again = decode_video(encode_video(first, 25.0, crf=28))
    assert reasons([first, again]) == [None, "Duplicate"]
    assert reasons([first, again], "clip.skip_duplicates=0") == [None, None]


def test_rejected_clips_have_no_duplicates():
    still = shot(0, 8, 0)
    assert reasons([still, still], "clip.skip_static=0") == ["Static", "Static"]


def test_slow_motion_is_neither_static_nor_a_duplicate():
    """The sprite moves by one and a half pixels per second."""
    windows = world("right", 6.0, 4)
    assert reasons(windows, "clip.skip_static=8") == [None] * 4


def test_a_still_picture_is_kept_once():
    (still,) = world("still", 0.0, 1)
    coded = decode_video(encode_video(still, 8.0))
    assert reasons([coded]) == [None]
    assert reasons([coded], "clip.skip_static=8") == ["Static"]
    assert reasons([coded, coded]) == [None, "Duplicate"]


def test_dark_clips_are_not_black():
    black = np.random.default_rng(0).integers(0, 20, (8, 64, 64, 3), np.uint8)
    night = black.copy()
    night[:, 10:20, 10:20] = 60
    assert reasons([black, night]) == ["Black", None]
    assert reasons([night], "clip.skip_black=60") == ["Black"]
    blue = np.zeros_like(black)
    blue[..., 2] = 200
    assert reasons([blue]) == [None]


def test_a_clip_is_black_if_most_of_its_area_is():
    frames = shot(0, 8)
    frames[:4] = 0
    assert reasons([frames]) == [None]
    frames[4] = 0
    assert reasons([frames]) == ["Black"]
