"""SAM2 by its authors' package `sam2`, for their checkpoints (optional extra `sam2`)."""

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from pipelines.errors import ConfigError
from pipelines.trackers.segmenter import Box, empty_mask
from pipelines.trackers.streaming import NormalisedFrames, forget
from strmatch.weights.errors import WeightsError
from strmatch.weights.locate import local_folder, one_file
from strmatch.weights.source import ONLINE, Access, Source
from strmatch.weights.strict import best_device


class PackageSegmenter:
    """A `Segmenter`. The predictor's state is created for every clip and reset after the clip."""

    def __init__(self, predictor: Any) -> None:
        self.predictor = predictor
        # Filling holes needs a CUDA extension. Without it, masks are the same on all machines.
        predictor.fill_hole_area = 0

    @classmethod
    def load(
        cls, source: Source, access: Access = ONLINE, overrides: Sequence[str] = ()
    ) -> "PackageSegmenter":
        """Load from a hub id, a folder or a URI that holds one checkpoint, named as published.

        Args:
            overrides: changes of the model's hydra config, such as `++model.image_size=512`.

        Raises:
            ConfigError: the package is not installed.
            WeightsError: the checkpoint is missing, cannot be read without executing code, or does
                not fit its model exactly.
        """
        builder = find_package()
        checkpoint = one_file(local_folder(source, access), "*.pt")
        configs = {name: config for config, name in builder.HF_MODEL_ID_TO_FILENAMES.values()}
        if checkpoint.name not in configs:
            raise WeightsError(
                f"no model is known for {checkpoint.name}; there is {', '.join(configs)}"
            )
        predictor = builder.build_sam2_video_predictor(
            configs[checkpoint.name],
            ckpt_path=None,
            device=best_device(),
            hydra_overrides_extra=list(overrides),
        )
        _load_checkpoint(predictor, checkpoint)
        return cls(predictor)

    @torch.inference_mode()
    def track(self, frames: np.ndarray, box: Box, prompt_frame: int) -> np.ndarray:
        mask = empty_mask(frames, prompt_frame)
        state = self._state(frames)
        corners = (box.x0, box.y0, box.x1, box.y1)
        self.predictor.add_new_points_or_box(state, frame_idx=prompt_frame, obj_id=0, box=corners)
        outputs = state["output_dict_per_obj"][0]["non_cond_frame_outputs"]
        reach = max(self.predictor.num_maskmem, self.predictor.max_obj_ptrs_in_encoder) - 1
        for reverse in (False, True):
            for index, _, logits in self.predictor.propagate_in_video(
                state, start_frame_idx=prompt_frame, reverse=reverse
            ):
                mask[index] = (logits[0, 0] > 0).cpu()
                forget(outputs, index, prompt_frame, reach)
        self.predictor.reset_state(state)
        return mask

    def _state(self, frames: np.ndarray) -> dict[str, Any]:
        """The predictor's state of a clip. The package reads the first frame from a folder."""
        with tempfile.TemporaryDirectory() as folder:
            _write_frame(frames[0], Path(folder))
            state = self.predictor.init_state(folder, offload_video_to_cpu=True)
        state["images"] = NormalisedFrames(frames, self.predictor.image_size)
        state["num_frames"] = len(frames)
        return state


def find_package() -> Any:
    """Import the module that builds the package's models.

    Raises:
        ConfigError: the package is not installed.
    """
    try:
        from sam2 import build_sam, sam2_video_predictor
        from sam2.utils import misc
        from tqdm import tqdm
    except ImportError as error:
        raise ConfigError(
            f"annotate.tracker sam2: {error}; install it with SAM2_BUILD_CUDA=0 pip install "
            "--no-build-isolation 'strmatch[sam2]', or take sam2_hf, which needs nothing more"
        ) from error
    # The package has no option to disable its progress bars, which would fill a worker's log.
    misc.tqdm = sam2_video_predictor.tqdm = partial(tqdm, disable=True)
    return build_sam


def _load_checkpoint(predictor: torch.nn.Module, checkpoint: Path) -> None:
    try:
        tensors = torch.load(checkpoint, map_location="cpu", weights_only=True)["model"]
        predictor.load_state_dict(tensors, strict=True)
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise WeightsError(f"cannot load SAM2 from {checkpoint}: {reason}") from error


def _write_frame(frame: np.ndarray, folder: Path) -> None:
    """Write a lossless PNG under a name *.jpg: the package accepts no other suffix."""
    _, png = cv2.imencode(".png", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    (folder / "00000.jpg").write_bytes(png.tobytes())
