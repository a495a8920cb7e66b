"""Optical flow between two frames by DIS (Kroeger et al., "Fast Optical Flow using Dense Inverse
Search", ECCV 2016), as OpenCV has it: without weights."""

import cv2
import numpy as np

FINE = 1
"""The pyramid level at which a search that has a start begins."""
REPEATS, WORTHWHILE = 8, 0.9
"""A search is repeated from its own result as long as that takes a tenth off the difference of
the frames, and one flow is preferred to another if it does."""


def flow(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Where the surface that is seen at each pixel of `first` lies in `second`.

    It is searched down to the full resolution, since a clip of 64 × 64 pixels has none to spare,
    and twice: from the pan on the fine levels of the pyramid alone, and over the whole of it. The
    coarse levels are where fast objects are found, but they see rubbish in the place of patterns
    too fine for them, and a small frame has too few: their flow counts if it takes `second` nearer
    to `first`. Where there is texture, one search is enough; along stripes and in shallow gradients
    it stops short, and is repeated.

    Args:
        first, second: uint8 (H, W, 3), RGB, at least 12 pixels high and wide.

    Returns:
        float32 (H, W, 2): to the right and down, pixels.
    """
    before, after = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (first, second))

    def difference(found: np.ndarray) -> float:
        return cv2.norm(before, warp(after, found), cv2.NORM_L1)

    def settled(found: np.ndarray) -> np.ndarray:
        for _ in range(REPEATS):
            further = fine.calc(before, after, found.copy())
            if difference(further) >= WORTHWHILE * difference(found):
                break
            found = further
        return found

    whole, fine = _search(), _search()
    fine.setCoarsestScale(FINE)
    start = np.tile(pan(before, after), (*before.shape, 1))
    near = settled(fine.calc(before, after, start))
    far = whole.calc(before, after, None)
    return settled(far) if difference(far) < WORTHWHILE * difference(near) else near


def pan(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The one shift that takes most of a frame uint8 (H, W) to the next, by phase correlation.

    Returns:
        float32 (2,): to the right and down, whole pixels.
    """
    window = cv2.createHanningWindow(before.shape[::-1], cv2.CV_32F)
    shift, _ = cv2.phaseCorrelate(before.astype(np.float32), after.astype(np.float32), window)
    return np.rint(shift).astype(np.float32)


def warp(image: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """`image` (H, W) or (H, W, c) at where a flow (H, W, 2) goes from each pixel, bilinearly.

    Beyond the frame it is what lies nearest at its border.
    """
    height, width = flow.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return cv2.remap(
        image,
        x + flow[..., 0],
        y + flow[..., 1],
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )


def _search() -> cv2.DISOpticalFlow:
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    search.setFinestScale(0)
    search.setGradientDescentIterations(12)  # as accurate here as the preset's 25
    return search
