"""A tracker for the small world: SAM2 follows what the tracker `contrast` finds."""

import numpy as np

from pipelines.trackers.base import Tracker
from pipelines.trackers.contrast import subject_mask
from pipelines.trackers.segmenter import Box, Segmenter
from pipelines.trackers.segmenter_transformers import HFSegmenter
from strmatch.backbones.folder import weights_folder
from strmatch.weights.source import Source


class MiniatureTracker(Tracker):
    """Refines the mask of the tracker `contrast` by a segmenter.

    The segmenter starts from the bounding box in the frame whose mask is nearest to the median
    area.
    """

    def __init__(self, segmenter: Segmenter) -> None:
        self.segmenter = segmenter

    @classmethod
    def load(cls, weights: str) -> "MiniatureTracker":
        """Load the SAM2 that `strmatch train-miniature --recipe segmenter` trains.

        Args:
            weights: folder or URI of the trained model, with a folder segmenter/.

        Raises:
            WeightsError: the folder segmenter/ is missing.
        """
        return cls(HFSegmenter.load(Source(str(weights_folder(weights) / "segmenter"))))

    def __call__(self, frames: np.ndarray, subject: str | None) -> np.ndarray | None:
        rough = subject_mask(frames, subject)
        if rough is None:
            return None
        frame = typical_frame(rough)
        return self.segmenter.track(frames, box_around(rough[frame]), frame)


def typical_frame(mask: np.ndarray) -> int:
    """Index of the frame in which the area of a mask, bool (f, H, W), is nearest to its median."""
    areas = mask.sum(axis=(1, 2))
    return int(np.abs(areas - np.median(areas[areas > 0])).argmin())


def box_around(frame: np.ndarray) -> Box:
    """Bounding box of a mask, bool (H, W)."""
    (y0, y1), (x0, x1) = (np.flatnonzero(frame.any(axis=axis))[[0, -1]].tolist() for axis in (1, 0))
    return Box(x0, y0, x1 + 1, y1 + 1)
