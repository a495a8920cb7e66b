"""Background LPIPS (BL): perceptual distance of the background between source and edited clip."""

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from strmatch.inputs import to_unit_range
from strmatch.metrics.base import Sample
from strmatch.weights.checkpoint import read_tensors
from strmatch.weights.locate import one_file
from strmatch.weights.strict import best_device, check_fit

SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""Normalisation of colours (-1 to 1) before AlexNet, from `ScalingLayer` of LPIPS."""
EPSILON = 1e-10


class BackgroundLPIPS:
    """LPIPS between the frames of source and edited clip with the subject set to black.

    LPIPS (Zhang et al., CVPR 2018) version 0.1 on AlexNet, equal to `net="alex"` of the package
    `lpips`. Pixels inside the mask are black in both frames (arXiv 2506.22868: "LPIPS between
    masked (background) frames"). The mean covers all frames that have a background.

    Unit: none. Range: from 0 (equal backgrounds), rarely above 1, lower is better. NaN: no mask, or
    a mask that leaves no background.

    Args:
        folder: holds one file `alexnet*`, torchvision's weights of AlexNet
            (alexnet-owt-7be5be79.pth), and one `alex.*`, the heads of LPIPS (alex.pth, of
            lpips/weights/v0.1), or the same tensors in .safetensors. Code in pickles is never
            executed.
        device: default: the GPU if there is one, else the CPU.

    Raises:
        WeightsError: a file is missing, unreadable or does not match the architecture.
    """

    def __init__(self, folder: Path, device: str | torch.device | None = None) -> None:
        self.device = best_device(device)
        self.lpips = load_lpips(folder).to(self.device)

    @torch.no_grad()
    def __call__(self, sample: Sample) -> float:
        if sample.mask is None:
            return math.nan
        distances = [
            float(self.lpips(self._seen(source, mask), self._seen(edited, mask)))
            for source, edited, mask in zip(sample.source, sample.edited, sample.mask, strict=True)
            if not mask.all()
        ]
        return float(np.mean(distances)) if distances else math.nan

    def _seen(self, frame: np.ndarray, mask: np.ndarray) -> Tensor:
        """uint8 (H, W, 3) and bool (H, W) to float32 (1, 3, H, W) from -1 to 1."""
        background = torch.from_numpy(np.where(mask[..., None], 0, frame)).to(self.device)
        return to_unit_range(background)[None]


class LPIPS(nn.Module):
    """Learned distance of two images in the features of AlexNet's five convolutions."""

    shift: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 11, stride=4, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(64, 192, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(192, 384, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1),
            nn.ReLU(),
        )
        self.heads = nn.ModuleList(
            nn.Conv2d(width, 1, 1, bias=False) for width in (64, 192, 384, 256, 256)
        )
        self.register_buffer("shift", torch.tensor(SHIFT)[:, None, None], persistent=False)
        self.register_buffer("scale", torch.tensor(SCALE)[:, None, None], persistent=False)

    def forward(self, image: Tensor, other: Tensor) -> Tensor:
        """Distances (n,) of images, float32 (n, 3, H, W) from -1 to 1, sides at least 31."""
        stages = zip(self._stages(image), self._stages(other), self.heads, strict=True)
        parts = [head((one - two).square()).mean(dim=(1, 2, 3)) for one, two, head in stages]
        return torch.stack(parts).sum(dim=0)

    def _stages(self, image: Tensor) -> list[Tensor]:
        """Features after each ReLU, normalised to unit length at each position."""
        found, x = [], (image - self.shift) / self.scale
        for layer in self.features:
            x = layer(x)
            if isinstance(layer, nn.ReLU):
                found.append(x / (x.norm(dim=1, keepdim=True) + EPSILON))
        return found


def load_lpips(folder: Path) -> LPIPS:
    """LPIPS with the published weights in `folder`, see `BackgroundLPIPS`.

    Raises:
        WeightsError: a file is missing, unreadable or does not match the architecture.
    """
    alexnet, heads = one_file(folder, "alexnet*"), one_file(folder, "alex.*")
    lpips = LPIPS().eval()
    backbone = read_tensors(alexnet)
    parts = (
        (alexnet, lpips.features, {k: v for k, v in backbone.items() if "classifier" not in k}),
        (heads, lpips.heads, read_tensors(heads)),
    )
    for path, part, published in parts:
        tensors = {_own_name(name): tensor for name, tensor in published.items()}
        check_fit(tensors, part, path)
        part.load_state_dict(tensors)
    return lpips


def _own_name(published: str) -> str:
    """Maps published names: features.3.weight → 3.weight, lin2.model.1.weight → 2.weight."""
    return published.removeprefix("features.").removeprefix("lin").replace(".model.1", "")
