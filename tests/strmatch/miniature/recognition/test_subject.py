import pytest
import torch

from strmatch.miniature.recognition.patterns import find_patterns
from strmatch.miniature.recognition.subject import Subjects, find_subjects
from strmatch.miniature.scenes import Scene, Sprite, sample_scene
from strmatch.miniature.vocabulary import COLOURS, SHAPES
from strmatch.miniature.world import render
from tests.strmatch.miniature.corruption import corrupt


def find(frames: torch.Tensor) -> Subjects:
    frames = frames.flatten(0, 1).float()
    return find_subjects(frames, find_patterns(frames))


@pytest.mark.parametrize("corrupted", [False, True])
def test_masks_and_centroids_equal_those_of_the_renderer(corrupted):
    generator = torch.Generator().manual_seed(0)
    rendered = render([sample_scene(generator) for _ in range(24)], num_frames=4)
    found = find(corrupt(rendered.frames) if corrupted else rendered.frames)
    truth = rendered.masks[:, 0].flatten(0, 1)
    overlap = (found.masks & truth).sum() / (found.masks | truth).sum()
    error = (found.centroids - rendered.tracks[:, 0].flatten(0, 1)).norm(dim=1)
    assert found.present.all()
    assert overlap > (0.95 if corrupted else 0.995)
    assert error.max() < (0.4 if corrupted else 0.1)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [18.0, 30.0])
def test_shape_and_colour_are_recognised_at_any_size(shape, size):
    scenes = [
        Scene((Sprite(shape, colour, "still", size, (30.3, 31.8), 0.0),), "stripes")
        for colour in COLOURS
    ]
    found = find(corrupt(render(scenes, num_frames=1).frames, quantisation=6.0))
    assert found.shapes.tolist() == [SHAPES.index(shape)] * len(COLOURS)
    assert found.colours.tolist() == list(range(len(COLOURS)))


def test_a_colour_between_two_is_not_recognised():
    scene = Scene((Sprite("circle", "blue", "still", 24.0, (30.0, 30.0), 0.0),), "bricks")
    rendered = render([scene], num_frames=1)
    between = (torch.tensor(COLOURS["blue"]) + torch.tensor(COLOURS["green"])) // 2
    frames = rendered.frames.clone()
    frames[rendered.masks[:, 0]] = between.byte()
    found = find(frames)
    assert found.present.tolist() == [True]
    assert found.colours.tolist() == [-1]
    assert found.shapes.tolist() == [SHAPES.index("circle")]


def test_an_unknown_shape_is_not_recognised():
    scene = Scene((Sprite("triangle", "red", "still", 26.0, (31.5, 31.5), 0.0),), "checks")
    upside_down = render([scene], num_frames=1).frames.flip(2)
    assert find(upside_down).shapes.tolist() == [-1]


@pytest.mark.parametrize("radius", [0, 4])
def test_a_second_component_means_no_subject(radius):
    scene = Scene((Sprite("circle", "red", "still", 24.0, (20.0, 30.0), 0.0),), "dots")
    frames = render([scene], num_frames=1).frames
    frames[:, :, 10 : 10 + radius, 50 : 50 + radius] = torch.tensor(COLOURS["blue"]).byte()
    found = find(frames)
    assert found.present.tolist() == [radius == 0]
    assert found.centroids.isnan().any() == (radius > 0)
    assert found.masks.any() == (radius == 0)


def test_a_frame_without_a_sprite_has_no_subject():
    found = find(render([Scene((), "bricks")], num_frames=1).frames)
    assert not found.present.any() and not found.masks.any()
    assert found.colours.tolist() == found.shapes.tolist() == [-1]
