import numpy as np
import pytest

from pipelines.config.loading import load_config
from pipelines.english.objects import objects_of
from pipelines.media.encode import decode_video, encode_video
from pipelines.media.foreground import find_objects, without
from pipelines.trackers.contrast import ContrastTracker, subject_mask
from pipelines.trackers.naming import name_objects
from strmatch.miniature.scenes import caption, sample_scene
from strmatch.miniature.world import render


def overlap(a, b):
    return (a & b).sum() / (a | b).sum()


def stored(frames):
    """Frames as a tracker reads them, with the chroma subsampling of an MP4."""
    return decode_video(encode_video(frames.numpy(), 8.0, 12))


@pytest.mark.parametrize("kind", ["core", "textured", "harder_motion", "moving_background"])
def test_a_sprite_is_found_under_any_motion(kind):
    """Compared with the exact masks of rendered clips, including still ones."""
    scenes = [sample_scene(seed, "dev", kind) for seed in range(8)]
    rendered = render(scenes)
    overlaps = [
        overlap(subject_mask(stored(frames), None), exact[0].numpy())
        for frames, exact in zip(rendered.frames, rendered.masks, strict=True)
    ]
    assert np.mean(overlaps) > 0.9
    assert min(overlaps) > 0.7


def test_the_sprite_of_the_named_colour_is_followed_among_two():
    scenes = [sample_scene(seed, "dev", "two_sprites") for seed in range(8)]
    rendered = render(scenes)
    right = []
    for scene, frames, exact in zip(scenes, rendered.frames, rendered.masks, strict=True):
        for index, sprite in enumerate(scene.sprites):
            mask = subject_mask(stored(frames), f"{sprite.colour} {sprite.shape}")
            others = exact[1 - index].numpy()
            right.append(overlap(mask, exact[index].numpy()) > overlap(mask, others))
    assert np.mean(right) > 0.9
    frames = stored(rendered.frames[0])
    first = subject_mask(frames, None)
    assert first.sum() == max(mask.sum() for mask in find_objects(frames))


def test_objects_are_named_as_the_caption_names_them():
    tracker = ContrastTracker(load_config())
    for seed in range(100, 102):
        scene = sample_scene(seed, "dev", "two_sprites")
        rendered = render([scene])
        phrases = [each.phrase for each in objects_of(caption(scene))]
        assert phrases == [f"{sprite.colour} {sprite.shape}" for sprite in scene.sprites]
        frames = stored(rendered.frames[0])
        for order in (phrases, phrases[::-1]):
            found = tracker.objects(frames, order)
            assert [each.words for each in found] == order
            for each in found:
                exact = rendered.masks[0, phrases.index(each.words)].numpy()
                assert overlap(each.mask, exact) > 0.85
                assert each.score > 0.5
    for one, other in (found, found[::-1]):
        alone = without(frames, other.mask)
        assert [each.words for each in name_objects(alone, one.mask[None], phrases)] == [one.words]
    assert tracker.objects(np.zeros_like(frames), phrases) == []


@pytest.mark.parametrize("picture", ["noise", "gradient", "black"])
def test_a_clip_without_a_sprite_has_no_mask(picture):
    frames = np.zeros((4, 48, 80, 3), np.uint8)
    if picture == "noise":
        frames[:] = np.random.default_rng(0).integers(0, 256, frames.shape)
    if picture == "gradient":
        frames[:] = np.linspace(0, 255, 80).astype(np.uint8)[None, None, :, None]
    assert subject_mask(frames, "red circle") is None


def test_grey_sprites_are_found():
    frames = np.full((4, 48, 80, 3), (90, 140, 90), np.uint8)
    frames[:, 10:30, 20:50] = 230
    expected = np.zeros((4, 48, 80), bool)
    expected[:, 10:30, 20:50] = True
    assert overlap(subject_mask(frames, "a box"), expected) > 0.95
