import itertools
import math

import pytest
import torch

from strmatch.attention import LayerMaps
from strmatch.loss import make_objective, negative_cosines
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


def scores(seed):
    return [maps.spatial for maps in layers(seed)]


def test_the_row_cosine_has_one_cosine_per_frame_head_and_position():
    source, target = scores(0)[0], scores(1)[0]
    f, h, n = source.shape[:3]
    expected = [
        -dot_over_norms(source[i, k, p], target[i, k, p])
        for i, k, p in itertools.product(range(f), range(h), range(n))
    ]
    terms = negative_cosines(source, target, "row")
    torch.testing.assert_close(terms, torch.tensor(expected, dtype=terms.dtype))


def test_the_layer_cosine_has_one_cosine_per_layer():
    source, target = scores(0)[0], scores(1)[0]
    terms = negative_cosines(source, target, "layer")
    assert terms.tolist() == pytest.approx([-dot_over_norms(source, target)])


def test_equal_scores_give_the_minimum():
    score = torch.rand(2, 1, 3, 3)
    torch.testing.assert_close(negative_cosines(score, score), -torch.ones(6))


@pytest.mark.parametrize("cosine", ["row", "layer"])
def test_the_objective_is_the_cosine_of_scores(cosine):
    source, target = layers(0)[0], layers(1)[0]
    objective = make_objective(EditSettings(radius=2, cosine=cosine))
    of_source, of_target = (str_score(*maps, radius=2) for maps in (source, target))
    torch.testing.assert_close(objective.feature(source), of_source)
    terms = objective.terms(of_source, target)
    torch.testing.assert_close(terms, negative_cosines(of_source, of_target, cosine))


def test_the_ablation_compares_all_entries_of_both_maps():
    source, target = layers(0)[0], layers(1)[0]
    objective = make_objective(EditSettings(objective="concatenated_maps"))
    expected = sum(((a - b) ** 2).sum() for a, b in zip(source, target, strict=True))
    terms = objective.terms(objective.feature(source), target)
    torch.testing.assert_close(terms.sum(), expected)
    assert terms.shape == (sum(tensor.numel() for tensor in source),)


def test_losses_propagate_gradients_to_the_maps():
    source, target = scores(0)[0], scores(1)[0].requires_grad_()
    for cosine in ("row", "layer"):
        assert torch.autograd.gradcheck(
            lambda score, cosine=cosine: negative_cosines(source, score, cosine), [target]
        )
