"""The tracker `miniature`: the embedded SAM2 follows a thing of the small world."""

import numpy as np

from pipelines.config import Config
from pipelines.tracking.contrast import find_objects, named
from pipelines.tracking.sam2_hf import HFSegmenter
from pipelines.tracking.segmenter import Box
from strmatch.backbones.loading import weights_folder

LEAST_IN_COMMON = 0.5
"""Intersection over union."""


class MiniatureTracker:
    """What `contrast` finds, seen more exactly.

    Where it is most nearly of its usual size gives the frame and the box that SAM2 starts from.
    Things that are not of the small world SAM2 does not know: where the two masks have little in
    common, `contrast`'s stands.

    Args:
        config: not asked: the model comes with the package.
        weights: a model's folder like the package's own, with a segmenter/ in it.

    Raises:
        WeightsError: it has none.
    """

    def __init__(self, config: Config, weights: str = "miniature") -> None:
        self.segmenter = HFSegmenter.load(str(weights_folder(weights) / "segmenter"), None)

    def __call__(self, frames: np.ndarray, subject: str | None) -> np.ndarray | None:
        objects = find_objects(frames)
        if not len(objects):
            return None
        rough = objects[named(frames, objects, subject)]
        frame = typical_frame(rough)
        exact = self.segmenter.track(frames, [box_around(rough[frame])], frame).masks[0]
        agree = (exact & rough).sum() >= LEAST_IN_COMMON * (exact | rough).sum()
        return exact if agree else rough


def typical_frame(mask: np.ndarray) -> int:
    """The frame in which a mask bool (f, H, W) is nearest to its median area where it is any."""
    areas = mask.sum(axis=(1, 2))
    return int(np.abs(areas - np.median(areas[areas > 0])).argmin())


def box_around(frame: np.ndarray) -> Box:
    """Of what is set in bool (H, W)."""
    (y0, y1), (x0, x1) = (np.flatnonzero(frame.any(axis=axis))[[0, -1]].tolist() for axis in (1, 0))
    return Box(x0, y0, x1 + 1, y1 + 1)
