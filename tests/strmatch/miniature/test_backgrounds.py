import pytest
import torch

from strmatch.miniature.backgrounds import PERIOD, figure_coverage
from strmatch.miniature.vocabulary import BACKGROUNDS

AXIS = torch.arange(64, dtype=torch.float64)


def is_figure(background: str, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """A direct definition of the patterns at points, with pixel corners at integers."""
    if background == "checks":
        return (torch.floor(x / 8) + torch.floor(y / 8)) % 2 == 0
    if background == "stripes":
        return (x + y + 3.5) % 16 < 8
    if background == "bricks":
        left = torch.where(torch.floor((y) / 8) % 2 == 1, 8.0, 0.0)
        return ~(((x + left + 0.75) % 16 < 1.5) | ((y + 0.75) % 8 < 1.5))
    dots = [(x % 16 - 4) ** 2 + (y % 16 - 4) ** 2, (x % 16 - 12) ** 2 + (y % 16 - 12) ** 2]
    return torch.minimum(*dots) < 2.75**2


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_patterns_are_periodic(background):
    share = figure_coverage(background, AXIS, AXIS[:, None])
    assert torch.allclose(share, share.roll(PERIOD, 0))
    assert torch.allclose(share, share.roll(PERIOD, 1))
    assert 0.1 < share.mean() < 0.9


@pytest.mark.parametrize("background", BACKGROUNDS)
@pytest.mark.parametrize("offset", [0.0, 0.3])
def test_patterns_equal_supersampled_points(background, offset):
    fine = (torch.arange(32 * 16, dtype=torch.float64) + 0.5) / 16
    x, y = torch.meshgrid(fine + offset, fine + offset, indexing="xy")
    reference = is_figure(background, x, y).double().view(32, 16, 32, 16).mean(dim=(1, 3))
    axis = AXIS[:32] + offset
    error = (figure_coverage(background, axis, axis[:, None]) - reference).abs()
    assert error.mean() < 0.02
    assert error.max() < 0.27


def test_an_unknown_background_is_refused():
    with pytest.raises(ValueError, match="'sea'"):
        figure_coverage("sea", AXIS, AXIS)
