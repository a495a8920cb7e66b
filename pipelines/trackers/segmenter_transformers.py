"""SAM2 by transformers: frames in memory, weights in safetensors."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from pipelines.trackers.segmenter import Box, empty_mask
from strmatch.weights.locate import local_folder
from strmatch.weights.source import ONLINE, Access, Source
from strmatch.weights.strict import load_model

# The normalisation of SAM2's training.
MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


class HFSegmenter:
    """A `Segmenter`. The state of a clip is held by a session of that clip alone."""

    def __init__(self, model: Any) -> None:
        self.model = model

    @classmethod
    def load(cls, source: Source, access: Access = ONLINE) -> "HFSegmenter":
        """Load from a hub id, a folder or a URI.

        Raises:
            WeightsError: the weights are missing or do not fit the model.
        """
        from transformers import Sam2VideoModel

        return cls(load_model(Sam2VideoModel, local_folder(source, access)))

    @torch.inference_mode()
    def track(self, frames: np.ndarray, box: Box, prompt_frame: int) -> np.ndarray:
        from transformers import Sam2VideoInferenceSession

        mask = empty_mask(frames, prompt_frame)
        height, width = frames.shape[1:3]
        session = Sam2VideoInferenceSession(
            video=self._pixels(frames),
            video_height=height,
            video_width=width,
            inference_device=self.model.device,
            dtype=torch.float32,
        )
        scale = self.model.image_size / torch.tensor([width, height])
        corners = torch.tensor([[box.x0, box.y0], [box.x1, box.y1]]) * scale
        # The model's form of a box: two points with labels of their own.
        labels = torch.tensor([[[2, 3]]], dtype=torch.int32)
        inputs = {"point_coords": corners[None, None], "point_labels": labels}
        session.add_point_inputs(session.obj_id_to_idx(0), prompt_frame, inputs)
        session.obj_with_new_inputs = [0]

        self.model(session, frame_idx=prompt_frame)
        for reverse in (False, True):
            for output in self.model.propagate_in_video_iterator(
                session, start_frame_idx=prompt_frame, reverse=reverse
            ):
                logits = F.interpolate(output.pred_masks.float(), (height, width), mode="bilinear")
                mask[output.frame_idx] = (logits[0, 0] > 0).cpu()
        return mask

    def _pixels(self, frames: np.ndarray) -> torch.Tensor:
        """Frames uint8 (f, H, W, 3) as float32 (f, 3, S, S), by the steps of SAM2's own loader."""
        side = self.model.image_size
        how = Image.Resampling.BICUBIC
        images = [np.asarray(Image.fromarray(frame).resize((side, side), how)) for frame in frames]
        pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2) / 255
        return (pixels - MEAN) / STD
