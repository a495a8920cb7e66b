"""The loss of several layers and its gradient against formulas on concatenated scores."""

import pytest
import torch

from strmatch.attention import MapChoice
from strmatch.matching import Matcher
from strmatch.score import str_score
from strmatch.settings import EditSettings
from tests.strmatch.tiny import FRAMES, tiny_backbone


@pytest.fixture(scope="module")
def backbone():
    return tiny_backbone()


@pytest.mark.parametrize("heads", ["mean", "paired"])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_one_cosine_over_all_layers_is_that_of_the_concatenated_scores(backbone, heads, reduction):
    latents = torch.randn(2, 1, 4, FRAMES, 4, 8, dtype=torch.float64)
    target, source = backbone.embed("a blue square"), backbone.embed("a red circle")
    choice = {"scored_levels": (0, 1), "heads": heads, "radius": 2}
    matcher = Matcher(backbone, EditSettings(cosine="all", reduction=reduction, **choice))
    wanted = matcher.features(latents[1], 501, source)
    assert len(wanted) > 2
    loss, gradient = matcher.loss_and_gradient(latents[0], 501, [target], wanted)

    z = latents[0].clone().requires_grad_()
    scores = []
    for latent, text in ((latents[1], source), (z, target)):
        maps = backbone.attention_maps(latent, 501, text, MapChoice((0, 1), "first"))
        blocks = [(m.mean(1, True) if heads == "mean" else m for m in block) for block in maps]
        scores.append(torch.cat([str_score(*block, radius=2).flatten() for block in blocks]))
    expected = -(scores[0] @ scores[1]) / (scores[0].norm() * scores[1].norm())
    (slope,) = torch.autograd.grad(expected, z)
    torch.testing.assert_close(loss, expected.detach(), rtol=1e-12, atol=0)
    torch.testing.assert_close(gradient, slope, rtol=1e-9, atol=1e-14)
    assert slope.abs().max() > 1e-8
