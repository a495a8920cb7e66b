"""A small classifier of clips: convolutions over space in every frame, then one over time.

The top-heavy form of Xie et al. 2018, arXiv 1712.04851, at a thousandth of the size, so that a
training takes seconds of a processor's core.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

SIDE = 32
"""Height and width of the frames that the classifier sees, in pixels."""
FRAMES = 8
"""Number of evenly spaced frames that the classifier sees."""
WIDTHS = (16, 32, 64)
BATCH = 16
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 1e-2
WARMUP = 0.2
SHIFT = 2
"""Largest random shift of a training clip along each axis, in pixels of the classifier's frames."""


class Layer(nn.Sequential):
    """A convolution over space, (b, c, f, h, w) → (b, c′, f, h/2, w/2)."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__(
            nn.Conv3d(channels, width, (1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1)),
            nn.BatchNorm3d(width),
            nn.ReLU(),
        )


class VideoClassifier(nn.Module):
    """Logits (b, classes) of clips (b, 3, f, h, w)."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(Layer(*sizes) for sizes in zip((3, *WIDTHS), WIDTHS, strict=False)),
            nn.Conv3d(WIDTHS[-1], WIDTHS[-1], (3, 1, 1), padding=(1, 0, 0)),
            nn.BatchNorm3d(WIDTHS[-1]),
            nn.ReLU(),
        )
        self.head = nn.Linear(WIDTHS[-1], classes)

    def forward(self, clips: Tensor) -> Tensor:
        # The maximum over places and the mean over time keep what is small in the frame.
        return self.head(self.layers(clips).amax(dim=(3, 4)).mean(dim=2))


def prepare(frames: np.ndarray) -> Tensor:
    """Scale a clip to the classifier's frames and size.

    Args:
        frames: uint8 (f, H, W, 3).

    Returns:
        uint8 (3, FRAMES, SIDE, SIDE).
    """
    moments = np.linspace(0, len(frames) - 1, FRAMES).round().astype(int)
    clip = torch.from_numpy(np.ascontiguousarray(frames[moments])).permute(0, 3, 1, 2).float()
    small = F.interpolate(clip, (SIDE, SIDE), mode="area")
    return small.round().to(torch.uint8).transpose(0, 1).contiguous()


def train(clips: Tensor, labels: Tensor, classes: int, steps: int, seed: int) -> VideoClassifier:
    """Train a classifier from random weights. The same arguments give the same weights.

    Args:
        clips: uint8 (n, 3, FRAMES, SIDE, SIDE), see `prepare`.
        labels: int64 (n,).
        classes: number of classes.
        steps: number of gradient steps, of `BATCH` clips each.
        seed: seed of the weights, the order of the clips and their shifts.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = VideoClassifier(classes)
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=steps, pct_start=WARMUP, cycle_momentum=False
    )
    order = torch.empty(0, dtype=torch.int64)
    for _ in range(steps):
        while len(order) < BATCH:
            order = torch.cat([order, torch.randperm(len(clips), generator=generator)])
        drawn, order = order[:BATCH], order[BATCH:]
        loss = F.cross_entropy(model(_shifted(_scaled(clips[drawn]), generator)), labels[drawn])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return model.eval()


@torch.no_grad()
def predict(model: VideoClassifier, clips: Tensor) -> Tensor:
    """Returns the class of every clip, int64 (n,), for clips as in `train`."""
    return torch.cat([model(_scaled(part)).argmax(dim=1) for part in clips.split(64)])


def _scaled(clips: Tensor) -> Tensor:
    return clips.float() / 127.5 - 1


def _shifted(clips: Tensor, generator: torch.Generator) -> Tensor:
    """Move each clip as a whole, which keeps every motion."""
    padded = F.pad(clips.flatten(1, 2), [SHIFT] * 4, mode="replicate").unflatten(1, (3, -1))
    corners = torch.randint(2 * SHIFT + 1, (len(clips), 2), generator=generator).tolist()
    return torch.stack(
        [
            clip[:, :, y : y + SIDE, x : x + SIDE]
            for clip, (y, x) in zip(padded, corners, strict=True)
        ]
    )
