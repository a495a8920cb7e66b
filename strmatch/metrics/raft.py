"""Motion error by RAFT, the metric of the paper. Requires torchvision (extra `raft`)."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from strmatch.inputs import to_unit_range
from strmatch.metrics.base import Sample
from strmatch.metrics.motion_error import end_point_error
from strmatch.weights.checkpoint import read_tensors
from strmatch.weights.strict import best_device, check_fit

SIDE, SMALLEST = 8, 128
"""Frame sides must be multiples of 8 and at least 128 pixels."""


class RaftMotionError:
    """Mean end-point error between the optical flows of source and edited clip, by RAFT-Large.

    The paper's ME (arXiv 2506.22868): the mean of |flow_src − flow_edit| over all pixels and all
    pairs of consecutive frames, with flows by torchvision's RAFT (Teed and Deng, ECCV 2020). **No
    test covers this metric**, because the test environment has no torchvision. A manual comparison
    with random weights in the network of torchvision 0.28 gave that network's flow.

    Unit: pixels per frame, at the clip's size. Range: from 0 (equal motion), lower is better. NaN:
    a single frame.

    Args:
        path: torchvision's weights of `raft_large` (raft_large_C_T_SKHT_V2-ff5fadd5.pth), or the
            same tensors in .safetensors. Code in pickles is never executed.
        device: default: the GPU if there is one, else the CPU.

    Raises:
        ImportError: torchvision is missing or incompatible with the installed torch.
        WeightsError: the file is unreadable or does not match the architecture.
    """

    def __init__(self, path: Path, device: str | torch.device | None = None) -> None:
        try:
            from torchvision.models.optical_flow import raft_large
        except (ImportError, RuntimeError) as error:  # RuntimeError: built for another torch
            raise ImportError(
                "motion error by RAFT needs a torchvision that fits this torch: "
                "pip install 'strmatch[raft]'"
            ) from error
        self.device = best_device(device)
        self.net = raft_large(weights=None, progress=False)
        tensors = read_tensors(path)
        check_fit(tensors, self.net, path)
        self.net.load_state_dict(tensors)
        self.net.eval().to(self.device)

    def __call__(self, sample: Sample) -> float:
        return end_point_error(sample, self.flow)

    @torch.no_grad()
    def flow(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Flow between frames, uint8 (H, W, 3) → float32 (H, W, 2), pixels right and down."""
        height, width = first.shape[:2]
        refined = self.net(self._padded(first), self._padded(second))
        return refined[-1][0, :, :height, :width].movedim(0, -1).cpu().numpy()

    def _padded(self, frame: np.ndarray) -> torch.Tensor:
        """Pad and scale a frame, uint8 (H, W, 3) → float32 (1, 3, H', W') from -1 to 1."""
        pixels = torch.from_numpy(np.ascontiguousarray(frame)).to(self.device)
        pixels = to_unit_range(pixels)[None]
        height, width = (max(side + -side % SIDE, SMALLEST) for side in frame.shape[:2])
        margins = (0, width - frame.shape[1], 0, height - frame.shape[0])
        return F.pad(pixels, margins, mode="replicate")
