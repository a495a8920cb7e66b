"""Shapes as signed distance functions in pixels, negative inside and zero on the outline.

Each shape is centred on its centroid. The size is the larger side of the bounding box.
"""

import math

import torch
from torch import Tensor

# Largest extent of a shape from its centroid along x or y, as a share of the size. The tip of the
# triangle has this extent.
REACH = 1 / math.sqrt(3)

CROSS_ARM = 0.36  # width of an arm / size
STAR_INNER = 0.5  # inner radius / outer radius
STAR_WIDTH = 2 * math.sin(math.radians(72))  # width / outer radius

# Area / size².
AREAS = {
    "circle": math.pi / 4,
    "square": 1.0,
    "triangle": math.sqrt(3) / 4,
    "star": 5 * STAR_INNER * math.sin(math.radians(36)) / STAR_WIDTH**2,
    "cross": 2 * CROSS_ARM - CROSS_ARM**2,
}

# Distance of the farthest point from the centroid / size.
RADII = {
    "circle": 0.5,
    "square": math.sqrt(0.5),
    "triangle": REACH,
    "star": 1 / STAR_WIDTH,
    "cross": math.hypot(0.5, CROSS_ARM / 2),
}


def signed_distance(shape: str, x: Tensor, y: Tensor, size: Tensor) -> Tensor:
    """Signed distance to the outline of `shape` at offsets (x, y) from the centroid.

    Args:
        shape: name of the shape.
        x, y: offsets in pixels, y points downwards. All tensors broadcast with each other.
        size: size in pixels.

    Raises:
        ValueError: unknown shape.
    """
    match shape:
        case "circle":
            return torch.hypot(x, y) - size / 2
        case "square":
            return _box(x, y, size / 2, size / 2)
        case "cross":
            arm = CROSS_ARM * size / 2
            return torch.minimum(_box(x, y, size / 2, arm), _box(x, y, arm, size / 2))
        case "triangle":
            return _triangle(x, -y, size / 2)
        case "star":
            return _star(x, -y, size / STAR_WIDTH)
    raise ValueError(f"unknown shape {shape!r}")


def coverage(distance: Tensor, pixel: float = 1.0) -> Tensor:
    """Share of a pixel that lies inside an outline, 0 to 1.

    Exact for straight edges along x or y, within 0.05 for others, too large at sharp tips.

    Args:
        distance: signed distance of the pixel centre to the outline.
        pixel: side of a pixel in the same unit.
    """
    return (0.5 - distance / pixel).clamp(0.0, 1.0)


def _box(x: Tensor, y: Tensor, half_width: Tensor, half_height: Tensor) -> Tensor:
    outside_x, outside_y = x.abs() - half_width, y.abs() - half_height
    outside = torch.hypot(outside_x.clamp(min=0), outside_y.clamp(min=0))
    return outside + torch.maximum(outside_x, outside_y).clamp(max=0)


def _triangle(x: Tensor, y: Tensor, half_side: Tensor) -> Tensor:
    """Equilateral triangle, tip up, folded onto one side (Inigo Quilez, 2D distance functions)."""
    k = math.sqrt(3)
    x, y = x.abs() - half_side, y + half_side / k
    fold = x + k * y > 0
    x, y = torch.where(fold, (x - k * y) / 2, x), torch.where(fold, (-k * x - y) / 2, y)
    x = x - torch.minimum(torch.maximum(x, -2 * half_side), torch.zeros_like(x))
    return torch.where(y > 0, -1.0, 1.0) * torch.hypot(x, y)


def _star(x: Tensor, y: Tensor, radius: Tensor) -> Tensor:
    """Star with five points, folded onto half a point (Inigo Quilez, 2D distance functions)."""
    cosine, sine = math.cos(math.radians(36)), math.sin(math.radians(36))
    x = x.abs()
    for normal_x in (cosine, -cosine):
        beyond = 2 * (normal_x * x - sine * y).clamp(min=0)
        x, y = x - beyond * normal_x, y + beyond * sine
    x, y = x.abs(), y - radius
    edge_x, edge_y = STAR_INNER * sine, STAR_INNER * cosine - 1.0
    along = (x * edge_x + y * edge_y) / (edge_x**2 + edge_y**2)
    along = torch.minimum(along.clamp(min=0), radius)
    inside = y * edge_x - x * edge_y < 0
    return torch.where(inside, -1.0, 1.0) * torch.hypot(x - along * edge_x, y - along * edge_y)
