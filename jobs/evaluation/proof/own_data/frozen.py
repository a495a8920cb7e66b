"""What a published model sees of a clip: frozen features, and a linear classifier of these."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipelines.errors import InputError
from pipelines.media.frames import fit
from strmatch.weights.errors import WeightsError
from strmatch.weights.locate import local_folder
from strmatch.weights.source import Source
from strmatch.weights.strict import load_model

PREPROCESSORS = ("preprocessor_config.json", "video_preprocessor_config.json")
FRAMES = 8
"""Number of evenly spaced frames of a clip that an image model sees."""
BATCH = 16
LEARNING_RATE = 1e-2
WEIGHT_DECAY = 1e-2
FLATTEST = 1e-3
"""Smallest standard deviation by which a feature is divided."""


class FrozenFeatures:
    """The features of a clip by a model of transformers: of an image model, the mean over frames.

    Args:
        weights: folder, fsspec URI or `owner/name@commit` of a CLIP, an image model or a video
            encoder.

    Raises:
        InputError: the model cannot be loaded.
    """

    def __init__(self, weights: str) -> None:
        from transformers import AutoConfig, AutoModel

        try:
            folder = local_folder(Source(weights))
            self.config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
            self.model = load_model(AutoModel, folder)
            self.mean, self.deviation = _normalisation(folder)
        except (WeightsError, OSError, ValueError, KeyError) as error:
            raise InputError(f"--features {weights}: {error}") from error
        seen = getattr(self.config, "vision_config", self.config)
        side = getattr(seen, "crop_size", None) or getattr(seen, "image_size", None)
        if not isinstance(side, int):
            raise InputError(f"--features {weights}: its config.json states no image_size")
        self.side = side
        self.frames = getattr(seen, "num_frames", None) or getattr(seen, "frames_per_clip", None)

    @torch.no_grad()
    def __call__(self, frames: np.ndarray) -> Tensor:
        """Returns the features of a clip, uint8 (f, H, W, 3), as float32 (channels,)."""
        at = np.linspace(0, len(frames) - 1, self.frames or FRAMES).round().astype(int)
        shown = fit(frames[at], self.side, self.side, "crop").astype(np.float32) / 255
        scaled = ((shown - self.mean) / self.deviation).astype(np.float32)
        pixels = torch.from_numpy(scaled).permute(0, 3, 1, 2).contiguous().to(self.model.device)
        return (self._of_video(pixels) if self.frames else self._of_images(pixels)).cpu()

    def _of_video(self, pixels: Tensor) -> Tensor:
        if self.model.main_input_name == "pixel_values_videos":  # V-JEPA 2
            return self.model.get_vision_features(pixels[None])[0].mean(dim=0)
        return self.model(pixel_values=pixels[None]).last_hidden_state[0].mean(dim=0)

    def _of_images(self, pixels: Tensor) -> Tensor:
        if hasattr(self.model, "get_image_features"):  # CLIP, SigLIP
            features = self.model.get_image_features(pixels).pooler_output
        else:
            features = self.model(pixel_values=pixels).last_hidden_state.mean(dim=1)
        return F.normalize(features, dim=-1).mean(dim=0)


def train_linear(
    features: Tensor, labels: Tensor, classes: int, steps: int, seed: int
) -> Callable[[Tensor], Tensor]:
    """Train a linear classifier of features (n, channels). Otherwise as `classifier.train`.

    Returns:
        A function from features to the class of each, int64 (n,).
    """
    generator = torch.Generator().manual_seed(seed)
    scale = features.std(dim=0, correction=0).clamp_min(FLATTEST)
    mean = features.mean(dim=0)
    head = nn.Linear(features.shape[1], classes)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    optimizer = torch.optim.AdamW(head.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    for _ in range(steps):
        drawn = torch.randint(len(features), (BATCH,), generator=generator)
        loss = F.cross_entropy(head((features[drawn] - mean) / scale), labels[drawn])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return lambda shown: head((shown - mean) / scale).argmax(dim=1)


def _normalisation(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Returns mean and standard deviation of each channel, (3,), that a model was trained with."""
    for name in PREPROCESSORS:
        if (folder / name).is_file():
            stated = json.loads((folder / name).read_text(encoding="utf-8"))
            return np.array(stated["image_mean"]), np.array(stated["image_std"])
    raise WeightsError(f"{folder} holds no {PREPROCESSORS[0]}")
