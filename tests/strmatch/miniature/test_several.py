import hashlib
from typing import get_args

import pytest
import torch

from strmatch.miniature.scenes import Scene, attributes, caption, caption_words
from strmatch.miniature.several import MOST_TOUCHING, distance, sample_several
from strmatch.miniature.shapes import REACH
from strmatch.miniature.splits import Split, combinations
from strmatch.miniature.tokenizer import make_tokenizer
from strmatch.miniature.world import render


def sample(count: int, figures: int, split: Split = "train") -> list[Scene]:
    generator = torch.Generator().manual_seed(figures)
    return [sample_several(generator, split, figures) for _ in range(count)]


@pytest.fixture(scope="module", params=[2, 3])
def scenes(request) -> list[Scene]:
    return sample(60, request.param)


def whole(scene: Scene) -> torch.Tensor:
    """Masks of the figures including hidden parts, bool (figures, f, H, W)."""
    alone = [Scene((sprite,), scene.background) for sprite in scene.sprites]
    return render(alone).masks[:, 0]


@pytest.mark.parametrize("figures", [2, 3])
@pytest.mark.parametrize("split", get_args(Split))
def test_every_figure_is_from_the_split_and_stays_in_the_frame(split, figures):
    for scene in sample(20, figures, split):
        assert len(scene.sprites) == figures
        assert len({sprite.colour for sprite in scene.sprites}) == figures
        for index, sprite in enumerate(scene.sprites):
            assert attributes(scene, index) in combinations(split)
            for frame in range(16):
                x, y, size = sprite.pose(frame / 15)
                assert REACH * size - 0.5 <= min(x, y)
                assert max(x, y) <= 63.5 - REACH * size


def test_sizes_and_motions_differ(scenes):
    for attribute in ("size", "motion"):
        values = [{getattr(sprite, attribute) for sprite in scene.sprites} for scene in scenes]
        assert sum(len(value) > 1 for value in values) > 0.6 * len(scenes)


def test_figures_overlap_in_a_share_of_scenes_and_are_apart_in_seven_frames_or_more(scenes):
    shared = [(whole(scene).sum(dim=0) > 1).sum(dim=(1, 2)) for scene in scenes]
    crossing = [pixels for pixels in shared if pixels.any()]
    assert 0.15 < len(crossing) / len(scenes) < 0.45
    for pixels in crossing:
        assert (pixels > 0).sum() <= MOST_TOUCHING and pixels.max() >= 4


def test_the_last_figure_is_in_front_and_hides_exactly_what_it_covers(scenes):
    front_is_larger = set()
    for scene in scenes:
        masks = whole(scene)
        hidden = masks & ~render([scene]).masks[0]
        assert not hidden[-1].any()
        for layer in range(len(scene.sprites) - 1):
            in_front = masks[layer + 1 :].any(dim=0)
            assert torch.equal(hidden[layer], masks[layer] & in_front)
        if hidden.any():
            front_is_larger.add(scene.sprites[-1].size > scene.sprites[0].size)
    assert front_is_larger == {True, False}


def test_the_distance_is_a_lower_bound(scenes):
    for scene in scenes:
        masks = whole(scene)
        for frame in (0, 8, 15):
            one, other = (masks[layer, frame].nonzero().float() for layer in (0, 1))
            between = torch.cdist(one, other).min()
            bound = distance(scene.sprites[0], scene.sprites[1], frame / 15)
            assert bound <= between and (bound > between - 16 or bound < 0)


def test_captions_name_every_figure_in_words_that_the_model_reads_whole(scenes):
    tokenizer = make_tokenizer()
    for scene in scenes:
        words = caption(scene).split()
        assert set(words) <= caption_words()
        assert words.count("and") == len(scene.sprites) - 1
        for sprite in scene.sprites:
            assert f"{sprite.colour} {sprite.shape}" in caption(scene)
        assert len(tokenizer(caption(scene)).input_ids) <= tokenizer.model_max_length


@pytest.mark.parametrize(("figures", "digest"), [(2, "82ccbd2999e8bd46"), (3, "a133b1576344cb27")])
def test_the_scenes_of_a_seed_stay_those_that_models_were_trained_on(figures, digest):
    scenes = [sample_several(seed, "test", figures) for seed in range(10)]
    assert hashlib.sha256(repr(scenes).encode()).hexdigest()[:16] == digest


def test_equal_seeds_give_equal_scenes():
    for figures in (2, 3):
        assert sample_several(3, "dev", figures) == sample_several(3, "dev", figures)
        assert sample_several(3, "dev", figures) != sample_several(4, "dev", figures)
