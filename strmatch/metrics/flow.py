"""Optical flow by DIS (Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016).

Uses the implementation of OpenCV, which needs no weights.
"""

from functools import lru_cache
from itertools import pairwise

import cv2
import numpy as np

FINE = 1
"""Coarsest pyramid level of a search with an initial flow."""
REPEATS, WORTHWHILE = 8, 0.9
"""Maximum number of repetitions, and the required ratio of frame differences. A search restarts
from its result while the difference falls by at least a tenth. The same ratio decides between two
flows."""


def flow(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Displacement of each pixel of `first` to its position in `second`.

    Two searches run down to the full resolution, which clips of 64 × 64 pixels need. One starts
    from the pan and uses the fine pyramid levels only. The other uses the whole pyramid. Coarse
    levels find fast objects, but alias fine patterns and are few in small frames. Their flow is
    used only if it brings `second` closer to `first`. Searches are repeated, because a single one
    stops early along stripes and in shallow gradients.

    Args:
        first, second: uint8 (H, W, 3), RGB, at least 12 pixels high and wide.

    Returns:
        float32 (H, W, 2): pixels to the right and down.
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


def flows(frames: np.ndarray) -> np.ndarray:
    """Flow from every frame of a clip to the next.

    The results for the last two clips are kept, because several metrics need those of a source and
    its edit.

    Args:
        frames: uint8 (f, H, W, 3), RGB.

    Returns:
        float32 (f - 1, H, W, 2), read-only.
    """
    return _flows(frames.tobytes(), frames.shape)


@lru_cache(maxsize=2)
def _flows(data: bytes, shape: tuple[int, ...]) -> np.ndarray:
    frames = np.frombuffer(data, np.uint8).reshape(shape)
    found = np.empty((len(frames) - 1, *shape[1:3], 2), np.float32)
    for place, pair in enumerate(pairwise(frames)):
        found[place] = flow(*pair)
    found.setflags(write=False)
    return found


def pan(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The dominant shift between two frames by phase correlation.

    Args:
        before, after: uint8 (H, W).

    Returns:
        float32 (2,): whole pixels to the right and down.
    """
    window = cv2.createHanningWindow(before.shape[::-1], cv2.CV_32F)
    shift, _ = cv2.phaseCorrelate(before.astype(np.float32), after.astype(np.float32), window)
    return np.rint(shift).astype(np.float32)


def warp(image: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Sample an image at the positions displaced by a flow, with bilinear interpolation.

    Positions outside the frame take the nearest border pixel.

    Args:
        image: (H, W) or (H, W, c).
        flow: (H, W, 2), pixels to the right and down.

    Returns:
        The shape and dtype of `image`.
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
