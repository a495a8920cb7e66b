import numpy as np
import pytest

from pipelines.media import masks
from pipelines.media.encode import decode_video, encode_video
from pipelines.media.objects import separate_objects
from strmatch.miniature.scenes import sample_scene
from strmatch.miniature.several import distance, sample_several
from strmatch.miniature.world import render


def stored(scene):
    """The frames as a tracker reads them, and the exact masks."""
    rendered = render([scene])
    frames = decode_video(encode_video(rendered.frames[0].numpy(), 8.0, 12))
    return frames, rendered.masks[0].numpy()


def crosses(scene):
    one, other = scene.sprites
    return min(distance(one, other, frame / 15) for frame in range(16)) < 0


def test_two_figures_are_separated_also_while_one_hides_the_other():
    """Seed 315: a figure of 148 pixels beside one of 323, with edges of a third of them."""
    scenes = [sample_several(seed, "dev") for seed in (301, 315, 309, 322, 325)]
    assert 0 < sum(map(crosses, scenes)) < len(scenes)
    overlaps = []
    for scene in scenes:
        frames, exact = stored(scene)
        found = separate_objects(frames)
        assert len(found) == 2
        assert not (found[0] & found[1]).any()
        overlaps.append(min(max(masks.overlap(e, mask) for mask in found) for e in exact))
    assert min(overlaps) > 0.8
    assert np.mean(overlaps) > 0.9


def test_three_figures_are_separated():
    frames, exact = stored(sample_several(1, "dev", 3))
    found = separate_objects(frames)
    assert len(found) == 3
    assert [mask.sum() for mask in found] == sorted((mask.sum() for mask in found), reverse=True)
    assert min(max(masks.overlap(e, mask) for mask in found) for e in exact) > 0.85


@pytest.mark.parametrize("kind", ["core", "textured", "moving_background"])
def test_one_figure_stays_one_object(kind):
    for seed in (200, 201):
        frames, exact = stored(sample_scene(seed, "dev", kind))
        (found,) = separate_objects(frames)
        assert masks.overlap(found, exact[0]) > 0.85


def test_a_clip_without_an_object_has_no_mask():
    frames = np.zeros((4, 48, 80, 3), np.uint8)
    assert separate_objects(frames).shape == (0, 4, 48, 80)
    frames[:] = np.random.default_rng(0).integers(0, 256, frames.shape)
    assert len(separate_objects(frames)) == 0
