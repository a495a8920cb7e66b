import numpy as np
import pytest
import torch

from strmatch.miniature.long_scenes import lasting
from strmatch.miniature.scenes import HARDER_KINDS, Scene, Sprite, sample_scene
from strmatch.miniature.world import render

RIGHT = Scene((Sprite("square", "red", "right", 20.0, (16.0, 30.0), 30.0),), "bricks")


@pytest.mark.parametrize("course", ["stays", "leaves"])
def test_the_first_frames_are_those_of_the_short_scene(course):
    """Pixels, masks, flow and tracks, for every kind of scene."""
    generator = torch.Generator().manual_seed(1)
    scenes = [sample_scene(generator, kinds=kind) for kind in ("core", *HARDER_KINDS)]
    short, long = render(scenes), render([lasting(scene, 46, course) for scene in scenes], 46)
    assert torch.equal(long.frames[:, :16], short.frames)
    assert torch.equal(long.masks[:, :, :16], short.masks)
    torch.testing.assert_close(long.flow[:, :15], short.flow, rtol=0, atol=1e-5)
    known = ~short.tracks.isnan()
    torch.testing.assert_close(long.tracks[:, :, :16][known], short.tracks[known])


def test_a_sprite_turns_around_inside_the_frame():
    """30 pixels in 15 frames to the right, back, and to the right again."""
    track = render([lasting(RIGHT, 46)], 46).tracks[0, 0, :, 0].numpy()
    expected = [*np.arange(16, 46, 2), *np.arange(46, 16, -2), *np.arange(16, 48, 2)]
    np.testing.assert_allclose(track, expected, atol=1e-4)


def test_a_sprite_leaves_the_frame_and_comes_back_at_its_speed():
    rendered = render([lasting(RIGHT, 80, "leaves")], 80)
    visible = rendered.masks[0, 0].flatten(1).any(dim=1)
    (hidden,) = (~visible).nonzero(as_tuple=True)
    assert visible[:28].all() and visible[-28:].all()
    assert 4 <= len(hidden) == hidden[-1] - hidden[0] + 1
    steps = rendered.tracks[0, 0, :, 0].diff().abs().numpy()
    assert np.sum(np.abs(steps - 2) > 1e-4) <= 2  # two turns are between two frames


@pytest.mark.parametrize("motion", ["grow", "still", "zigzag"])
def test_other_motions_stay_inside_the_frame(motion):
    scene = Scene((Sprite("circle", "blue", motion, 20.0, (20.0, 32.0), 10.0),), "dots")
    stays, leaves = (lasting(scene, 80, course) for course in ("stays", "leaves"))
    assert stays == leaves
    sizes = render([stays], 80).masks[0, 0].flatten(1).sum(dim=1)
    assert sizes.min() > 200 and sizes[0] == sizes[30] == sizes[60]


def test_a_circle_goes_on_and_a_background_drifts_on():
    sprite = Sprite("circle", "blue", "circle", 20.0, (32.0, 32.0), 24.0)
    scene = Scene((sprite,), "checks", drift=(6.0, 0.0))
    rendered = render([lasting(scene, 31)], 31)
    torch.testing.assert_close(rendered.tracks[0, 0, 0], rendered.tracks[0, 0, 30])
    assert rendered.flow[0, 20, 0, 0].tolist() == pytest.approx([0.4, 0.0])
