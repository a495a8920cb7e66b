"""Shapes compared with an independent reference: sampled points tested against polygons."""

import math

import pytest
import torch

from strmatch.miniature.shapes import AREAS, REACH, coverage, signed_distance
from strmatch.miniature.vocabulary import SHAPES

SIZE, CENTRE = 23.3, (31.4, 29.8)


def outline(shape: str) -> list[tuple[float, float]]:
    """Vertices of the shape of size 1 relative to its centroid, with y pointing down."""
    if shape == "square":
        return [(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)]
    if shape == "triangle":
        height = math.sqrt(3) / 2
        return [(0, -2 / 3 * height), (0.5, height / 3), (-0.5, height / 3)]
    if shape == "cross":
        a, b = 0.18, 0.5
        quarter = [(a, -b), (a, -a), (b, -a)]
        turns = [(1, 0, 0, 1), (0, -1, 1, 0), (-1, 0, 0, -1), (0, 1, -1, 0)]
        return [(p * x + q * y, r * x + s * y) for p, q, r, s in turns for x, y in quarter]
    angles = [math.radians(36 * step) for step in range(10)]
    radius = 0.5 / math.sin(math.radians(72))
    radii = [radius, radius / 2] * 5
    return [
        (r * math.sin(angle), -r * math.cos(angle)) for r, angle in zip(radii, angles, strict=True)
    ]


def inside(shape: str, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    if shape == "circle":
        return x**2 + y**2 < 0.25
    crossings = torch.zeros_like(x, dtype=torch.long)
    points = outline(shape)
    for (x0, y0), (x1, y1) in zip(points, points[1:] + points[:1], strict=True):
        if y0 != y1:
            between = (y >= min(y0, y1)) & (y < max(y0, y1))
            crossings += between & (x < x0 + (y - y0) / (y1 - y0) * (x1 - x0))
    return crossings % 2 == 1


def supersampled(shape: str, samples: int = 16) -> torch.Tensor:
    """Coverage of 64 × 64 pixels, from `samples`² points per pixel."""
    fine = (torch.arange(64 * samples, dtype=torch.float64) + 0.5) / samples - 0.5
    x, y = torch.meshgrid((fine - CENTRE[0]) / SIZE, (fine - CENTRE[1]) / SIZE, indexing="xy")
    hits = inside(shape, x, y).double()
    return hits.view(64, samples, 64, samples).mean(dim=(1, 3))


def drawn(shape: str) -> torch.Tensor:
    axis = torch.arange(64, dtype=torch.float64)
    size = torch.tensor(SIZE, dtype=torch.float64)
    return coverage(signed_distance(shape, axis - CENTRE[0], axis[:, None] - CENTRE[1], size))


@pytest.mark.parametrize("shape", SHAPES)
def test_coverage_equals_that_of_a_supersampled_polygon(shape):
    error = (drawn(shape) - supersampled(shape)).abs()
    assert error.max() < 0.35  # at tips, where a pixel contains two edges
    assert error.sum() < 0.015 * supersampled(shape).sum()


@pytest.mark.parametrize("shape", SHAPES)
def test_half_coverage_agrees_with_supersampling(shape):
    reference = supersampled(shape)
    clear = (reference - 0.5).abs() > 0.04  # the resolution of the samples
    unequal = ((drawn(shape) >= 0.5) != (reference >= 0.5)) & clear
    assert unequal.sum() <= 2  # at tips and inner corners


@pytest.mark.parametrize("shape", SHAPES)
def test_size_area_centroid_and_reach_equal_the_constants(shape):
    alpha = supersampled(shape)
    axis = torch.arange(64, dtype=torch.float64)
    assert alpha.sum() == pytest.approx(AREAS[shape] * SIZE**2, rel=0.01)
    assert (alpha * axis).sum() / alpha.sum() == pytest.approx(CENTRE[0], abs=0.03)
    assert (alpha * axis[:, None]).sum() / alpha.sum() == pytest.approx(CENTRE[1], abs=0.03)
    if shape != "circle":
        x, y = zip(*outline(shape), strict=True)
        assert max(max(x) - min(x), max(y) - min(y)) == pytest.approx(1.0)
        assert max(map(abs, x + y)) <= REACH + 1e-9


@pytest.mark.parametrize("shape", SHAPES)
def test_distances_outside_are_euclidean(shape):
    """The gradient has length one at points with a unique nearest point of the outline."""
    axis = torch.arange(0, 64, 1.37, dtype=torch.float64)
    x, y = torch.meshgrid(axis - 31.4, axis - 29.8, indexing="xy")
    x.requires_grad_(), y.requires_grad_()
    distance = signed_distance(shape, x, y, torch.tensor(SIZE, dtype=torch.float64))
    along_x, along_y = torch.autograd.grad(distance.sum(), (x, y))
    length = torch.hypot(along_x, along_y)[distance > 0]
    assert (length - 1).abs().quantile(0.98) < 1e-6


def test_an_unknown_shape_is_refused():
    with pytest.raises(ValueError, match="blob"):
        signed_distance("blob", *torch.zeros(3))
