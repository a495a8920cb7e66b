import pytest
import torch
from scipy.ndimage import gaussian_filter

from strmatch.sampling.fresh_start import freshen

SHAPE = (1, 4, 8, 16, 24)


def blurred(latents):
    return torch.from_numpy(
        gaussian_filter(latents.numpy(), 1.0, truncate=2.0, mode="mirror", axes=(-2, -1))
    )


@pytest.fixture
def latents():
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(7), dtype=torch.float64)


@pytest.fixture
def noise(latents):
    """The added noise, which is the whole result for share 1."""
    return freshen(latents, 1.0)


def test_the_noise_is_equal_for_all_clips_and_independent_of_them(latents, noise):
    assert torch.equal(freshen(latents.flip(-1), 1.0), noise)
    assert abs(noise.mean()) < 0.03 and abs(noise.std() - 1) < 0.03
    assert abs((noise * latents).mean()) < 0.03


@pytest.mark.parametrize("share", [0.25, 0.81])
def test_low_frequencies_are_replaced_and_the_others_mixed_by_the_share(latents, noise, share):
    mixed = (1 - share) ** 0.5 * latents + share**0.5 * noise
    expected = mixed - blurred(mixed) + blurred(noise)
    torch.testing.assert_close(freshen(latents, share), expected, rtol=0, atol=1e-12)


def test_colour_is_removed_and_outlines_are_kept(latents):
    """A constant added on the left half has no effect inside, but its edge remains."""
    left = torch.zeros_like(latents)
    left[..., :12] = 5.0
    change = freshen(latents + left, 0.5) - freshen(latents, 0.5)
    assert change[..., :8].abs().max() < 1e-9
    assert change[..., 11].mean() > 0.5


def test_dtype_and_size_of_the_latents_are_kept(latents):
    fresh = freshen(latents.half(), 0.5)
    assert (fresh.dtype, fresh.shape) == (torch.float16, SHAPE)
