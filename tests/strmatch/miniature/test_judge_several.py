from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch

from strmatch import load_backbone
from strmatch.miniature.judge import NONE
from strmatch.miniature.judge_several import judge_several
from strmatch.miniature.scenes import Scene, Sprite, attributes
from strmatch.miniature.several import sample_several
from strmatch.miniature.splits import Attributes, Split
from strmatch.miniature.vocabulary import COLOURS
from strmatch.miniature.world import render
from tests.strmatch.miniature.corruption import corrupt

NOTHING = Attributes(NONE, NONE, NONE, NONE)


def sample_of_several(figures: int, count: int) -> list[Scene]:
    generator = torch.Generator().manual_seed(9)
    return [
        sample_several(generator, get_args(Split)[index % 3], figures) for index in range(count)
    ]


def all_attributes(scene: Scene) -> list[Attributes]:
    return [attributes(scene, sprite) for sprite in range(len(scene.sprites))]


@pytest.mark.parametrize("figures", [2, 3])
def test_several_figures_are_judged_correctly_each_where_it_is(figures):
    scenes = sample_of_several(figures, 20)
    rendered = render(scenes)
    truth = [all_attributes(scene) for scene in scenes]
    assert judge_several(rendered.frames, figures, rendered.tracks).verdicts == truth
    corrupted = judge_several(corrupt(rendered.frames), figures, rendered.tracks).verdicts
    assert corrupted == truth


@pytest.mark.parametrize("figures", [2, 3])
def test_the_number_of_figures_is_enough_to_find_them(figures):
    scenes = sample_of_several(figures, 20)
    seen = judge_several(render(scenes).frames, figures).verdicts
    assert [sorted(verdicts) for verdicts in seen] == [
        sorted(all_attributes(scene)) for scene in scenes
    ]


def test_masks_and_tracks_of_several_figures_match_the_renderer():
    scenes = sample_of_several(2, 12)
    rendered = render(scenes)
    seen = judge_several(rendered.frames, 2, rendered.tracks)
    known = seen.tracks.isfinite().all(dim=-1)
    assert known.float().mean() > 0.7
    assert (seen.tracks - rendered.tracks)[known].norm(dim=-1).max() < 0.3
    masks, truth = seen.masks[known], rendered.masks[known]
    assert (masks & truth).sum() / (masks | truth).sum() > 0.99
    assert not seen.masks[~known].any()


def test_a_place_without_a_figure_shows_none():
    one = Sprite("circle", "red", "still", 20.0, (15.0, 15.0), 0.0)
    other = Sprite("star", "green", "still", 20.0, (45.0, 45.0), 0.0)
    both = render([Scene((one, other), "checks")])
    alone = render([Scene((one,), "checks")]).frames
    seen = judge_several(alone, 2, both.tracks).verdicts[0]
    assert seen == [
        Attributes("circle", "red", "still", "checks"),
        NOTHING._replace(background="checks"),
    ]


def test_two_figures_of_one_colour_are_told_apart_by_their_places():
    one = Sprite("circle", "red", "still", 20.0, (15.0, 15.0), 0.0)
    other = Sprite("square", "red", "up", 18.0, (45.0, 45.0), 24.0)
    rendered = render([Scene((one, other), "dots")])
    assert judge_several(rendered.frames, 2, rendered.tracks).verdicts[0] == [
        Attributes("circle", "red", "still", "dots"),
        Attributes("square", "red", "up", "dots"),
    ]
    assert judge_several(rendered.frames, 2).verdicts[0] != all_attributes(
        Scene((one, other), "dots")
    )


def test_a_third_figure_is_no_one_of_two():
    one = Sprite("circle", "red", "still", 18.0, (12.0, 12.0), 0.0)
    other = Sprite("star", "green", "still", 18.0, (45.0, 45.0), 0.0)
    third = Sprite("cross", "blue", "still", 18.0, (12.0, 45.0), 0.0)
    three = render([Scene((one, other, third), "checks")])
    seen = judge_several(three.frames, 2, three.tracks[:, :2]).verdicts[0]
    assert seen == [NOTHING._replace(background="checks")] * 2


def test_exchanged_figures_are_seen_exchanged():
    scene = sample_of_several(2, 1)[0]
    tracks = render([scene]).tracks
    one, other = scene.sprites
    exchanged = replace(
        scene,
        sprites=(
            replace(one, shape=other.shape, colour=other.colour),
            replace(other, shape=one.shape, colour=one.colour),
        ),
    )
    seen = judge_several(render([exchanged]).frames, 2, tracks).verdicts[0]
    assert [verdict.colour for verdict in seen] == [other.colour, one.colour]
    assert [verdict.shape for verdict in seen] == [other.shape, one.shape]


@pytest.mark.parametrize("figures", [2, 3])
def test_noise_and_blanks_show_no_figures(figures):
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(0, 256, (2, 16, 64, 64, 3), generator=generator, dtype=torch.uint8)
    fills = torch.tensor([(0, 0, 0), (255, 255, 255), COLOURS["red"]], dtype=torch.uint8)
    blank = fills[:, None, None, None].expand(-1, 16, 64, 64, 3)
    seen = judge_several(torch.cat([noise, blank]), figures).verdicts
    assert seen == [[NOTHING] * figures] * 5


@pytest.mark.slow
@pytest.mark.parametrize(("figures", "rounded"), [(2, 0), (3, 2)])
def test_the_judge_sees_what_the_autoencoder_shows_of_several_figures(figures, rounded):
    """Of purple stars under 20 pixels over bricks, the autoencoder leaves round pentagons."""
    backbone = load_backbone("miniature")
    scenes = sample_of_several(figures, 24)
    rendered = render(scenes)
    decoded = [backbone.decode(backbone.encode(clip.numpy())) for clip in rendered.frames]
    seen = judge_several(torch.from_numpy(np.stack(decoded)), figures, rendered.tracks).verdicts
    wrong = [
        (verdict, truth, sprite.size)
        for verdicts, scene in zip(seen, scenes, strict=True)
        for verdict, truth, sprite in zip(
            verdicts, all_attributes(scene), scene.sprites, strict=True
        )
        if verdict != truth
    ]
    assert len(wrong) <= rounded
    for verdict, truth, size in wrong:
        assert truth[:2] == ("star", "purple") and truth.background == "bricks" and size < 20
        assert verdict == truth._replace(shape="circle")
