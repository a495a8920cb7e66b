import torch

from jobs.training.batches import draw_scenes, in_any_order
from strmatch.miniature.scenes import sample_scene
from strmatch.miniature.several import sample_several


def test_scenes_are_mixed_by_the_shares():
    scenes = draw_scenes(200, torch.Generator().manual_seed(0), pairs=0.4, trios=0.2)
    counts = [sum(len(scene.sprites) == n for scene in scenes) for n in (1, 2, 3)]
    assert 60 < counts[0] < 100 and 60 < counts[1] < 100 and 25 < counts[2] < 55


def test_without_shares_of_several_the_scenes_are_those_of_one_figure():
    generator = torch.Generator().manual_seed(4)
    draws = torch.rand(8, generator=generator)
    kinds = ["harder" if draw < 0.5 else "core" for draw in draws]
    expected = [sample_scene(generator, "train", kind) for kind in kinds]
    assert draw_scenes(8, torch.Generator().manual_seed(4), harder=0.5) == expected


def test_captions_name_figures_in_any_order():
    scene, generator = sample_several(0, figures=3), torch.Generator().manual_seed(0)
    orders = {in_any_order(scene, generator).sprites for _ in range(60)}
    assert len(orders) == 6 and all(set(order) == set(scene.sprites) for order in orders)


def test_the_order_of_one_figure_takes_no_random_number():
    generator = torch.Generator().manual_seed(0)
    scene = sample_scene(0)
    assert in_any_order(scene, generator) is scene
    assert torch.equal(generator.get_state(), torch.Generator().manual_seed(0).get_state())
