import hashlib
import math
from typing import get_args

import pytest
import torch

from strmatch.miniature.scenes import (
    HARDER_KINDS,
    Scene,
    Sprite,
    attributes,
    caption,
    caption_words,
    sample_scene,
    scene_of,
    with_attributes,
)
from strmatch.miniature.shapes import REACH
from strmatch.miniature.splits import Attributes, Split, combinations

CIRCLE = Sprite("circle", "red", "right", 20.0, (20.0, 30.0), 24.0)
STAR = Sprite("star", "green", "still", 20.0, (45.0, 15.0), 0.0)


@pytest.mark.parametrize(
    ("scene", "words"),
    [
        (Scene((CIRCLE,), "bricks"), "a red circle moving right over bricks"),
        (Scene((STAR,), "stripes"), "a green star standing still over stripes"),
        (
            Scene((CIRCLE, STAR), "bricks"),
            "a red circle moving right and a green star standing still over bricks",
        ),
        (
            Scene((CIRCLE,), "dots", drift=(0.0, -5.0)),
            "a red circle moving right over dots drifting up",
        ),
        (
            Scene((Sprite("cross", "orange", "down-left", 20.0, (40, 20), 24.0),), "checks"),
            "an orange cross moving down and left over checks",
        ),
        (
            Scene((Sprite("cross", "orange", "grow", 20.0, (40, 20), 8.0, "striped"),), "dots"),
            "a striped orange cross growing over dots",
        ),
    ],
)
def test_captions_read_as_english(scene, words):
    assert caption(scene) == words
    assert set(words.split()) <= caption_words()


def test_sampled_captions_use_only_the_known_words():
    generator = torch.Generator().manual_seed(0)
    for kinds in ("core", "harder"):
        for _ in range(100):
            assert set(caption(sample_scene(generator, kinds=kinds)).split()) <= caption_words()


def test_equal_seeds_give_equal_scenes():
    assert sample_scene(3) == sample_scene(3) == sample_scene(torch.Generator().manual_seed(3))
    assert sample_scene(3) != sample_scene(4)


@pytest.mark.parametrize(
    ("kinds", "digest"),
    [
        ("core", "90fe44f438575e61"),
        ("two_sprites", "91082994780ecc7f"),
        ("textured", "2dc45bbebd1e2bbc"),
        ("harder_motion", "e68d2aaaca524a76"),
        ("moving_background", "554bdfa1ac78d5e2"),
    ],
)
def test_the_scenes_of_a_seed_stay_those_that_published_figures_were_measured_on(kinds, digest):
    scenes = [sample_scene(seed, "test", kinds) for seed in range(20)]
    assert hashlib.sha256(repr(scenes).encode()).hexdigest()[:16] == digest


@pytest.mark.parametrize("split", get_args(Split))
def test_core_scenes_are_from_their_split_and_stay_in_the_frame(split):
    generator = torch.Generator().manual_seed(1)
    for _ in range(200):
        scene = sample_scene(generator, split)
        (sprite,) = scene.sprites
        assert attributes(scene) in combinations(split)
        assert 18 <= sprite.size <= 30
        first, last = sprite.pose(0.0), sprite.pose(1.0)
        way = math.dist(first[:2], last[:2])
        assert way == 0 if sprite.motion == "still" else way >= 24
        for x, y, size in (first, last):
            for centre in (x, y):
                assert centre - REACH * size >= -0.5
                assert centre + REACH * size <= 63.5


@pytest.mark.parametrize("split", get_args(Split))
@pytest.mark.parametrize("kinds", HARDER_KINDS)
def test_harder_scenes_are_from_their_split_and_stay_in_the_frame(split, kinds):
    generator = torch.Generator().manual_seed(2)
    for _ in range(30):
        scene = sample_scene(generator, split, kinds)
        assert len(scene.sprites) == (2 if kinds == "two_sprites" else 1)
        for index, sprite in enumerate(scene.sprites):
            if kinds != "harder_motion":
                assert attributes(scene, index) in combinations(split)
            for frame in range(16):
                x, y, size = sprite.pose(frame / 15)
                assert REACH * size - 0.5 <= min(x, y)
                assert max(x, y) <= 63.5 - REACH * size


def test_a_scene_has_the_given_attributes():
    wanted = Attributes("star", "blue", "up", "checks")
    assert attributes(scene_of(wanted, 0)) == wanted


def test_the_counterfactual_changes_only_the_given_attributes():
    scene = Scene((CIRCLE, STAR), "bricks", phase=(8, 0))
    edited = with_attributes(scene, shape="cross", colour="blue", sprite=1)
    assert edited.sprites[0] == CIRCLE
    assert edited.sprites[1] == Sprite("cross", "blue", "still", 20.0, (45.0, 15.0), 0.0)
    assert with_attributes(edited, shape="star", colour="green", sprite=1) == scene
    moved = with_attributes(scene, background="dots")
    assert moved == Scene((CIRCLE, STAR), "dots", phase=(8, 0))


def test_unknown_words_are_refused():
    with pytest.raises(ValueError, match="unknown shape 'blob'"):
        Sprite("blob", "red", "right", 20.0, (20.0, 30.0), 24.0)
    with pytest.raises(ValueError, match="unknown background"):
        Scene((CIRCLE,), "sea")
