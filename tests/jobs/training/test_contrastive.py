from dataclasses import replace

import pytest
import torch

from jobs.training.contrastive import _near, _same, contrastive_loss
from jobs.training.loop import fit
from jobs.training.recipe import Phase
from jobs.training.workers import Worker
from strmatch.miniature.model import make_clip
from strmatch.miniature.scenes import attributes, caption, sample_scene, with_attributes
from strmatch.miniature.several import sample_several
from strmatch.miniature.tokenizer import make_tokenizer


def test_hard_negatives_differ_in_one_thing_each():
    scene = sample_scene(1)
    near = _near(scene, torch.Generator().manual_seed(0))
    changed = [
        {name for name, a, b in zip(attributes(scene)._fields, attributes(scene),
                                    attributes(other), strict=True) if a != b}
        for other in near
    ]  # fmt: skip
    assert changed == [{"colour"}, {"shape"}, {"background"}, {"colour", "shape"}]


def test_of_two_sprites_the_colours_change_places():
    scene = sample_scene(1, kinds="two_sprites")
    first, second = scene.sprites
    exchanged = _near(scene, torch.Generator().manual_seed(0))[-1]
    assert [sprite.colour for sprite in exchanged.sprites] == [second.colour, first.colour]
    assert sorted(caption(exchanged).split()) == sorted(caption(scene).split())


def test_of_three_figures_two_exchange_colours_and_the_third_keeps_its_own():
    scene = sample_several(1, figures=3)
    exchanged = _near(scene, torch.Generator().manual_seed(0))[-1]
    first, second, third = scene.sprites
    assert [one.colour for one in exchanged.sprites] == [second.colour, first.colour, third.colour]
    assert [one.shape for one in exchanged.sprites] == [one.shape for one in scene.sprites]


def test_the_same_figures_in_another_order_are_no_wrong_answer():
    scene = sample_several(1, figures=3)
    turned = replace(scene, sprites=scene.sprites[::-1])
    assert _same([scene, turned], "cpu").isneginf().tolist() == [[False, True], [True, False]]


def test_a_caption_that_is_as_true_is_no_wrong_answer():
    scene = sample_scene(1)
    moved = sample_scene(2)
    same = _same([scene, moved, with_attributes(moved), scene], "cpu")
    infinite = {(i, j) for i, j in same.isneginf().nonzero().tolist()}
    assert infinite == {(0, 3), (3, 0), (1, 2), (2, 1)}
    assert same.nan_to_num(neginf=0).count_nonzero() == 0


@pytest.mark.slow
def test_forty_steps_improve_the_loss(tmp_path):
    torch.manual_seed(0)
    clip = make_clip(make_tokenizer())
    phase = Phase(steps=40, batch=16, learning_rate=1e-3, final_learning_rate=1e-4, warmup=5)
    loss = contrastive_loss(clip, make_tokenizer(), phase.batch, "cpu")
    before = float(loss(0, torch.Generator().manual_seed(99)).detach())
    fit("clip", clip, lambda: loss, phase, Worker(), tmp_path, 0, lambda line: None)
    assert float(loss(0, torch.Generator().manual_seed(99)).detach()) < 0.7 * before
