import math

import pytest
import torch

from strmatch.loss import LayerMaps, make_objective, negative_cosine, squared_l2
from strmatch.score import str_score
from strmatch.settings import EditSettings


def layers(seed, shapes=((3, 2, 4), (3, 2, 6))):
    generator = torch.Generator().manual_seed(seed)
    return [
        LayerMaps(
            torch.rand(f, h, n, n, generator=generator, dtype=torch.float64),
            torch.rand(n, h, f, f, generator=generator, dtype=torch.float64),
        )
        for f, h, n in shapes
    ]


def dot_over_norms(a, b):
    a, b = a.flatten().tolist(), b.flatten().tolist()
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_row_cosine_is_one_cosine_per_frame_and_position(reduction):
    source = [torch.rand(2, 1, 3, 3), torch.rand(2, 1, 4, 4)]
    target = [torch.rand_like(score) for score in source]
    cosines = [
        dot_over_norms(a[i, 0, p], b[i, 0, p])
        for a, b in zip(source, target, strict=True)
        for i in range(2)
        for p in range(a.shape[2])
    ]
    expected = sum(cosines) if reduction == "sum" else sum(cosines) / len(cosines)
    loss = negative_cosine(source, target, "row", reduction)
    assert loss.item() == pytest.approx(-expected, rel=1e-5)


def test_layer_cosine_is_one_cosine_a_layer():
    source = [torch.rand(2, 1, 3, 3), torch.rand(2, 1, 4, 4)]
    target = [torch.rand_like(score) for score in source]
    expected = sum(dot_over_norms(a, b) for a, b in zip(source, target, strict=True))
    assert negative_cosine(source, target, "layer").item() == pytest.approx(-expected, rel=1e-5)


def test_equal_scores_are_the_minimum():
    scores = [torch.rand(2, 1, 3, 3)]
    assert negative_cosine(scores, scores).item() == pytest.approx(-6)
    assert negative_cosine(scores, scores, reduction="mean").item() == pytest.approx(-1)


def test_heads_are_averaged_before_the_score_or_paired():
    maps = layers(0)[0]
    averaged = str_score(maps.spatial.mean(1, keepdim=True), maps.temporal.mean(1, keepdim=True))
    (feature,) = make_objective(EditSettings(heads="mean")).features([maps])
    torch.testing.assert_close(feature, averaged)
    (feature,) = make_objective(EditSettings(heads="paired")).features([maps])
    torch.testing.assert_close(feature, str_score(*maps))


def test_the_ablation_compares_all_entries_of_both_maps():
    source, target = layers(0), layers(1)
    objective = make_objective(EditSettings(objective="concatenated_maps", heads="paired"))
    expected = sum(
        ((a.spatial - b.spatial) ** 2).sum() + ((a.temporal - b.temporal) ** 2).sum()
        for a, b in zip(source, target, strict=True)
    )
    distance = objective.distance(objective.features(source), objective.features(target))
    torch.testing.assert_close(distance, expected)
    assert squared_l2([torch.zeros(4)], [torch.full((4,), 2.0)], "mean").item() == 4


def test_losses_pass_gradients_to_the_maps():
    source = [maps.spatial for maps in layers(0)]
    target = [maps.spatial.requires_grad_() for maps in layers(1)]
    for cosine in ("row", "layer"):
        assert torch.autograd.gradcheck(
            lambda *scores, cosine=cosine: negative_cosine(source, scores, cosine), target
        )
