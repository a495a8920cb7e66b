"""Frame interpolation by optical flow, the weight-free interpolator of frame consistency."""

import numpy as np

from strmatch.metrics.flow import flow, warp


def flow_midpoints(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Interpolate the middle frame of each pair as the average of both warped frames.

    The flow at the middle is that of Super SloMo (Jiang et al., CVPR 2018, Eq. 4) for t = 1/2,
    where it is symmetric.

    Args:
        before, after: uint8 (n, H, W, 3), RGB.

    Returns:
        uint8 (n, H, W, 3).
    """
    return np.stack([_midpoint(*pair) for pair in zip(before, after, strict=True)])


def _midpoint(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    half = (flow(before, after) - flow(after, before)) / 4
    sides = warp(before, -half).astype(np.float32) + warp(after, half)
    return np.rint(sides / 2).astype(np.uint8)
