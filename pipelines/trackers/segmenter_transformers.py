"""SAM2 of transformers: frames in memory, weights in safetensors."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from pipelines.trackers.segmenter import Box, Prompt, Tracks, empty_tracks
from strmatch.weights.locate import local_folder
from strmatch.weights.strict import load_model

# The normalisation of the training of SAM2.
MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


class HFSegmenter:
    """A `Segmenter`. The state of the model lives in a session per clip."""

    def __init__(self, model: Any) -> None:
        self.model = model

    @classmethod
    def load(cls, weights: str, revision: str | None) -> "HFSegmenter":
        """Load weights from a hub id, a folder or a URI.

        Raises:
            WeightsError: the weights cannot be found, or do not fit.
        """
        from transformers import Sam2VideoModel

        return cls(load_model(Sam2VideoModel, local_folder(weights, revision)))

    @torch.inference_mode()
    def track(self, frames: np.ndarray, prompts: Sequence[Prompt], prompt_frame: int) -> Tracks:
        from transformers import Sam2VideoInferenceSession

        tracks = empty_tracks(frames, prompts, prompt_frame)
        height, width = frames.shape[1:3]
        session = Sam2VideoInferenceSession(
            video=self._pixels(frames),
            video_height=height,
            video_width=width,
            inference_device=self.model.device,
            dtype=torch.float32,
        )
        scale = self.model.image_size / torch.tensor([width, height])
        for number, prompt in enumerate(prompts):
            points, labels = _as_points(prompt)
            inputs = {"point_coords": (points * scale)[None, None], "point_labels": labels}
            session.add_point_inputs(session.obj_id_to_idx(number), prompt_frame, inputs)
        session.obj_with_new_inputs = list(range(len(prompts)))

        self.model(session, frame_idx=prompt_frame)
        for reverse in (False, True):
            for output in self.model.propagate_in_video_iterator(
                session, start_frame_idx=prompt_frame, reverse=reverse
            ):
                logits = F.interpolate(output.pred_masks.float(), (height, width), mode="bilinear")
                tracks.masks[:, output.frame_idx] = (logits[:, 0] > 0).cpu()
                scores = output.object_score_logits.flatten().sigmoid()
                tracks.scores[:, output.frame_idx] = scores.cpu()
        return tracks

    def _pixels(self, frames: np.ndarray) -> torch.Tensor:
        """Convert frames, uint8 (f, H, W, 3), to float32 (f, 3, S, S), like the loader of SAM2."""
        side = self.model.image_size
        how = Image.Resampling.BICUBIC
        images = [np.asarray(Image.fromarray(frame).resize((side, side), how)) for frame in frames]
        pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2) / 255
        return (pixels - MEAN) / STD


def _as_points(prompt: Prompt) -> tuple[torch.Tensor, torch.Tensor]:
    """Points (n, 2) and labels (1, 1, n). A box is two points, with labels 2 and 3."""
    if isinstance(prompt, Box):
        points = torch.tensor([[prompt.x0, prompt.y0], [prompt.x1, prompt.y1]])
        labels = torch.tensor([[[2, 3]]], dtype=torch.int32)
    else:
        points = torch.tensor(prompt.points)
        labels = torch.tensor([[prompt.labels]], dtype=torch.int32)
    return points, labels
