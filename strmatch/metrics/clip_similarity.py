"""CLIP similarity (CS): agreement of the edited clip with the target prompt."""

from pathlib import Path

import torch

from strmatch.metrics.base import Sample
from strmatch.metrics.clip import load_clip


class ClipSimilarity:
    """100 × cosine similarity of target prompt and frame in CLIP's space, averaged over frames.

    CLIPScore (Hessel et al., EMNLP 2021) without the clipping at 0 and the factor of 2.5, called
    CLIP score in the paper (arXiv 2506.22868). Values of different CLIP models are not comparable.

    Unit: hundredths. Range: -100 to 100, higher is better. Never NaN.

    Args:
        folder, device: of the model, see `strmatch.metrics.clip.Clip`.
    """

    def __init__(self, folder: Path, device: str | torch.device | None = None) -> None:
        self.clip = load_clip(folder, device)

    def __call__(self, sample: Sample) -> float:
        (said,) = self.clip.prompts([sample.target_prompt])
        return 100 * float((self.clip.frames(sample.edited) @ said).mean())
