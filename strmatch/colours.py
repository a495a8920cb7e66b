"""Perceptual distances between colours (CIE 1976)."""

import torch
from torch import Tensor

WHITE = (0.95047, 1.0, 1.08883)  # D65
RGB_TO_XYZ = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """Convert sRGB (..., 3), 0 to 255, to CIE Lab, float32 (..., 3)."""
    share = rgb.float() / 255
    linear = torch.where(share > 0.04045, ((share + 0.055) / 1.055) ** 2.4, share / 12.92)
    xyz = linear @ linear.new_tensor(RGB_TO_XYZ).T / linear.new_tensor(WHITE)
    x, y, z = torch.where(
        xyz > 216 / 24389, xyz.clamp(min=0) ** (1 / 3), (24389 / 27 * xyz + 16) / 116
    ).unbind(-1)
    return torch.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), dim=-1)


def delta_e(rgb: Tensor, other: Tensor) -> Tensor:
    """CIE76 ΔE, float32 (...), between sRGB colours (..., 3), 0 to 255, which broadcast."""
    return torch.linalg.vector_norm(rgb_to_lab(rgb) - rgb_to_lab(other), dim=-1)
