"""SAM2 by the package `sam2` of its authors, for their checkpoints. An optional extra."""

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from pipelines.errors import ConfigError
from pipelines.trackers.segmenter import Box, Prompt, Tracks, empty_tracks
from strmatch.weights.errors import WeightsError
from strmatch.weights.locate import local_folder
from strmatch.weights.strict import best_device


class PackageSegmenter:
    """A `Segmenter`. The state of the predictor is created for a clip and reset afterwards."""

    FILES = ("*.pt",)

    def __init__(self, predictor: Any) -> None:
        self.predictor = predictor
        # Filling holes requires a CUDA extension. Without filling, masks are equal on all machines.
        predictor.fill_hole_area = 0

    @classmethod
    def load(
        cls, weights: str, revision: str | None, overrides: Sequence[str] = ()
    ) -> "PackageSegmenter":
        """Load one checkpoint, named as published, from a hub id, a folder or a URI.

        Args:
            overrides: changes to the hydra config of the model, such as `++model.image_size=512`.

        Raises:
            ConfigError: the package is not installed.
            WeightsError: the checkpoint cannot be found or read without executing code, or does
                not fit its model exactly.
        """
        builder = find_package()
        folder = local_folder(weights, revision, cls.FILES)
        checkpoints = sorted(folder.glob("*.pt"))
        if len(checkpoints) != 1:
            raise WeightsError(f"{weights} holds {len(checkpoints)} files *.pt; one is expected")
        configs = {name: config for config, name in builder.HF_MODEL_ID_TO_FILENAMES.values()}
        if checkpoints[0].name not in configs:
            raise WeightsError(
                f"no model is known for {checkpoints[0].name}; there is {', '.join(configs)}"
            )
        predictor = builder.build_sam2_video_predictor(
            configs[checkpoints[0].name],
            ckpt_path=None,
            device=best_device(),
            hydra_overrides_extra=list(overrides),
        )
        _load_checkpoint(predictor, checkpoints[0])
        return cls(predictor)

    @torch.inference_mode()
    def track(self, frames: np.ndarray, prompts: Sequence[Prompt], prompt_frame: int) -> Tracks:
        tracks = empty_tracks(frames, prompts, prompt_frame)
        with tempfile.TemporaryDirectory() as folder:
            _write_frames(frames, Path(folder))
            state = self.predictor.init_state(folder, offload_video_to_cpu=True)
        for number, prompt in enumerate(prompts):
            self.predictor.add_new_points_or_box(
                state, frame_idx=prompt_frame, obj_id=number, **_as_arguments(prompt)
            )
        for reverse in (False, True):
            for index, _, logits in self.predictor.propagate_in_video(
                state, start_frame_idx=prompt_frame, reverse=reverse
            ):
                tracks.masks[:, index] = (logits[:, 0] > 0).cpu()
        for number, outputs in state["output_dict_per_obj"].items():
            for kind in ("cond_frame_outputs", "non_cond_frame_outputs"):
                for index, output in outputs[kind].items():
                    tracks.scores[number, index] = output["object_score_logits"].sigmoid().item()
        self.predictor.reset_state(state)
        return tracks


def find_package() -> Any:
    """Import the module that builds the models of the package.

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
    # The package cannot disable its progress bars, which would fill the logs of workers.
    misc.tqdm = sam2_video_predictor.tqdm = partial(tqdm, disable=True)
    return build_sam


def _load_checkpoint(predictor: torch.nn.Module, checkpoint: Path) -> None:
    try:
        tensors = torch.load(checkpoint, map_location="cpu", weights_only=True)["model"]
        predictor.load_state_dict(tensors, strict=True)
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise WeightsError(f"cannot load SAM2 from {checkpoint}: {reason}") from error


def _write_frames(frames: np.ndarray, folder: Path) -> None:
    """Write frames for the package, which reads *.jpg by name. The contents are lossless PNG."""
    for number, frame in enumerate(frames):
        _, png = cv2.imencode(".png", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        (folder / f"{number:05d}.jpg").write_bytes(png.tobytes())


def _as_arguments(prompt: Prompt) -> dict[str, Any]:
    if isinstance(prompt, Box):
        return {"box": (prompt.x0, prompt.y0, prompt.x1, prompt.y1)}
    return {"points": prompt.points, "labels": prompt.labels}
