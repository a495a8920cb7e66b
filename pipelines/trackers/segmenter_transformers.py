"""SAM2 by transformers, weights in safetensors."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from pipelines.trackers.segmenter import Box, empty_mask
from pipelines.trackers.streaming import NormalisedFrames, forget
from strmatch.weights.locate import local_folder
from strmatch.weights.source import ONLINE, Access, Source
from strmatch.weights.strict import load_model


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
            video_height=height,
            video_width=width,
            inference_device=self.model.device,
            dtype=torch.float32,
        )
        session.processed_frames = NormalisedFrames(frames, self.model.image_size)
        scale = self.model.image_size / torch.tensor([width, height])
        corners = torch.tensor([[box.x0, box.y0], [box.x1, box.y1]]) * scale
        # The model's form of a box: two points with labels of their own.
        labels = torch.tensor([[[2, 3]]], dtype=torch.int32)
        inputs = {"point_coords": corners[None, None], "point_labels": labels}
        subject = session.obj_id_to_idx(0)
        session.add_point_inputs(subject, prompt_frame, inputs)
        session.obj_with_new_inputs = [0]

        config = self.model.config
        reach = max(config.num_maskmem, config.max_object_pointers_in_encoder) - 1
        outputs = session.output_dict_per_obj[subject]["non_cond_frame_outputs"]
        self.model(session, frame_idx=prompt_frame)
        for reverse in (False, True):
            for output in self.model.propagate_in_video_iterator(
                session, start_frame_idx=prompt_frame, reverse=reverse
            ):
                logits = F.interpolate(output.pred_masks.float(), (height, width), mode="bilinear")
                mask[output.frame_idx] = (logits[0, 0] > 0).cpu()
                forget(outputs, output.frame_idx, prompt_frame, reach)
        return mask
