"""CLIP similarity (CS): agreement of the edited clip with the target prompt."""

from pathlib import Path

import numpy as np
import torch
from transformers import CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

from strmatch.inputs import tokenize
from strmatch.metrics.base import Sample
from strmatch.weights.strict import best_device, load_strictly

BATCH = 16
"""Number of frames per forward pass."""


class ClipSimilarity:
    """100 × cosine similarity of target prompt and frame in CLIP's space, averaged over frames.

    CLIPScore (Hessel et al., EMNLP 2021) without the clipping at 0 and the factor of 2.5, called
    CLIP score in the paper (arXiv 2506.22868). Values of different CLIP models are not comparable.

    Unit: hundredths. Range: -100 to 100, higher is better. Never NaN.

    Args:
        folder: a `CLIPModel` in safetensors with tokenizer and image processor, in the layout of
            `save_pretrained`: clip/ of the embedded weights, or a published model.
        device: default: the GPU if there is one, else the CPU.

    Raises:
        WeightsError: the model cannot be loaded from the folder.
    """

    def __init__(self, folder: Path, device: str | torch.device | None = None) -> None:
        self.device = best_device(device)
        self.model = load_strictly(CLIPModel, folder, torch.float32).eval().to(self.device)
        self.tokenizer = CLIPTokenizer.from_pretrained(folder)
        self.processor = CLIPImageProcessorPil.from_pretrained(folder)

    @torch.no_grad()
    def __call__(self, sample: Sample) -> float:
        said = self.model.get_text_features(
            tokenize(self.tokenizer, [sample.target_prompt], self.device)
        ).pooler_output
        batches = [
            sample.edited[start : start + BATCH] for start in range(0, len(sample.edited), BATCH)
        ]
        shown = torch.cat([self._embed(frames) for frames in batches])
        return 100 * float(torch.cosine_similarity(shown, said).mean())

    def _embed(self, frames: np.ndarray) -> torch.Tensor:
        """CLIP features of frames, uint8 (n, H, W, 3) → float32 (n, channels)."""
        pixels = self.processor(list(frames), return_tensors="pt").pixel_values
        return self.model.get_image_features(pixels.to(self.device)).pooler_output
