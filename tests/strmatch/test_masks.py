import torch

from strmatch.masks import blend, latent_mask


def brute_force(mask, height, width, dilation):
    """A latent is editable if any pixel covered by this latent or a near one is editable."""
    f, H, W = mask.shape
    covered = torch.zeros(f, height, width, dtype=torch.bool)
    for i in range(f):
        for y in range(height):
            for x in range(width):
                tile = mask[i, y * H // height : (y + 1) * H // height]
                covered[i, y, x] = tile[:, x * W // width : (x + 1) * W // width].any()
    reach = dilation // 2
    dilated = torch.zeros_like(covered)
    for i, y, x in covered.nonzero().tolist():
        top, left = max(y - reach, 0), max(x - reach, 0)
        dilated[i, top : y + reach + 1, left : x + reach + 1] = True
    return dilated


def test_any_covered_pixel_makes_a_latent_editable_and_the_mask_is_dilated():
    generator = torch.Generator().manual_seed(0)
    mask = torch.rand(5, 32, 48, generator=generator) > 0.98
    for dilation in (1, 3, 5):
        result = latent_mask(mask, 4, 6, dilation)
        assert result.shape == (1, 1, 5, 4, 6)
        assert result.dtype == torch.bool
        assert torch.equal(result[0, 0], brute_force(mask, 4, 6, dilation))


def test_empty_and_full_masks_are_kept():
    assert not latent_mask(torch.zeros(2, 16, 16, dtype=torch.bool), 4, 4).any()
    assert latent_mask(torch.ones(2, 16, 16, dtype=torch.bool), 4, 4).all()


def test_the_blend_equals_the_source_outside_the_mask():
    edited, source = torch.randn(2, 1, 4, 3, 5, 5)
    mask = torch.rand(1, 1, 3, 5, 5) > 0.5
    result = blend(edited, source, mask)
    inside = mask.expand_as(result)
    assert torch.equal(result[inside], edited[inside])
    assert torch.equal(result[~inside], source[~inside])
