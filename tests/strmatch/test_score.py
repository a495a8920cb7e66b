import itertools

import pytest
import torch

from strmatch import str_score


def brute_force(spatial, temporal, radius):
    """Eq. 2–4 as printed, by loops over single numbers."""
    f, h, n, _ = spatial.shape

    def directed(a, i, p, j, q):  # Eq. 2: g(I_i(p) → I_j(q))
        s, t = spatial[:, a], temporal[:, a]
        return t[p, i, j] * s[j, p, q] + s[i, p, q] * t[q, i, j]

    score = torch.zeros(f, h, n, n, dtype=spatial.dtype)
    for i, a, p, q in itertools.product(range(f), range(h), range(n), range(n)):
        for j in range(f):
            if 1 <= abs(i - j) <= radius:  # Eq. 3, summed over N(i) as in Eq. 4
                score[i, a, p, q] += directed(a, i, p, j, q) + directed(a, j, q, i, p)
    return score


def random_maps(f, h, n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    spatial = torch.randn(f, h, n, n, generator=generator, dtype=torch.float64).softmax(-1)
    temporal = torch.randn(n, h, f, f, generator=generator, dtype=torch.float64).softmax(-1)
    return spatial, temporal


@pytest.mark.parametrize("radius", [1, 2])
@pytest.mark.parametrize("shape", [(2, 1, 3), (3, 2, 4), (5, 1, 6), (6, 3, 5)])
def test_the_score_equals_the_printed_equations(shape, radius):
    spatial, temporal = random_maps(*shape)
    expected = brute_force(spatial, temporal, radius)
    torch.testing.assert_close(str_score(spatial, temporal, radius), expected, rtol=0, atol=1e-12)


def test_a_radius_beyond_the_clip_counts_each_frame_once():
    spatial, temporal = random_maps(3, 1, 4)
    torch.testing.assert_close(
        str_score(spatial, temporal, radius=10), brute_force(spatial, temporal, 2)
    )


def test_a_single_frame_has_no_neighbours():
    assert str_score(*random_maps(1, 1, 4)).count_nonzero() == 0


def test_gradients_equal_finite_differences():
    spatial, temporal = (maps.requires_grad_() for maps in random_maps(3, 2, 3))
    assert torch.autograd.gradcheck(lambda s, t: str_score(s, t, radius=2), (spatial, temporal))


@pytest.mark.parametrize(
    ("spatial", "temporal", "radius", "named"),
    [
        ((3, 2, 4, 5), (4, 2, 3, 3), 1, "spatial"),
        ((3, 2, 4, 4), (4, 2, 3, 2), 1, "temporal"),
        ((3, 2, 4, 4), (4, 1, 3, 3), 1, "temporal"),
        ((3, 2, 4, 4), (4, 2, 3, 3), 0, "radius"),
    ],
)
def test_an_invalid_argument_is_reported_by_name(spatial, temporal, radius, named):
    with pytest.raises(ValueError, match=named):
        str_score(torch.rand(spatial), torch.rand(temporal), radius)
