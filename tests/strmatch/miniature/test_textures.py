import pytest
import torch

from strmatch.miniature.textures import DARKEST, shade
from strmatch.miniature.vocabulary import TEXTURES

AXIS = torch.arange(-15, 16, dtype=torch.float64)


@pytest.mark.parametrize("texture", TEXTURES)
def test_shades_are_bounded_and_vary_except_in_plain_textures(texture):
    shades = shade(texture, AXIS, AXIS[:, None])
    assert shades.shape == (31, 31)
    assert DARKEST <= shades.min() <= shades.max() <= 1
    assert (shades.std() == 0) == (texture == "plain")


def test_speckles_are_continuous():
    one = shade("speckled", AXIS, AXIS[:, None])
    moved = shade("speckled", AXIS + 0.01, AXIS[:, None])
    assert (one - moved).abs().max() < 0.01


def test_an_unknown_texture_is_refused():
    with pytest.raises(ValueError, match="'fur'"):
        shade("fur", AXIS, AXIS)
