"""Windows of a backbone's length over a longer clip. Imports no torch: estimates need the number.

Fusion of windows in time follows MultiDiffusion (Bar-Tal et al. 2023, arXiv 2302.08113) and
Gen-L-Video (Wang et al. 2023, arXiv 2305.18264).
"""

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

Weights = Literal["triangular", "hann", "uniform"]
SHAPES: dict[str, Callable[[float], float]] = {
    "triangular": lambda place: 1 - abs(2 * place - 1),
    "hann": lambda place: math.sin(math.pi * place) ** 2,
    "uniform": lambda place: 1.0,
}
"""Weight of a frame before normalisation, by the place of its middle in the window, 0 to 1."""


class Window(NamedTuple):
    """Consecutive frames of a clip that the backbone processes together."""

    start: int
    """First frame."""
    stop: int
    """Frame after the last one."""
    weights: tuple[float, ...]
    """Share of the window in the fused result, of each of its frames. The shares of all windows
    sum to 1 at every frame."""

    @property
    def frames(self) -> slice:
        return slice(self.start, self.stop)


def window_starts(num_frames: int, length: int, stride: int | None = None) -> list[int]:
    """First frames of the windows of a clip, in order.

    Windows follow each other by `stride`. The last window ends with the clip, and may overlap more
    with the window before. A clip of at most `length` frames is one window.

    Args:
        num_frames: number of frames of the clip.
        length: number of frames of a window.
        stride: frames from one window to the next, 1 to `length`. None: half of `length`.

    Raises:
        ValueError: the stride is longer than a window, which would leave frames out.
    """
    stride = max(1, length // 2) if stride is None else stride
    if not 1 <= stride <= length:
        raise ValueError(f"window_stride must be from 1 to {length}, a window, got {stride}")
    last = max(0, num_frames - length)
    return [*range(0, last, stride), last]


def find_windows(
    num_frames: int, length: int, stride: int | None = None, weights: Weights = "triangular"
) -> tuple[Window, ...]:
    """Windows of a clip with the weights of their frames.

    Frame i of window k has the weight w_k(i) = h((i − s_k + ½) / l_k) / Σ_j h((i − s_j + ½) / l_j)
    with the sum over the windows that hold the frame, where s_k is the start and l_k the length of
    a window, and h the function of `SHAPES`.

    Args:
        num_frames, length, stride: see `window_starts`.
        weights: name of h. triangular and hann fade at the ends of a window.

    Raises:
        ValueError: as `window_starts`.
    """
    starts = window_starts(num_frames, length, stride)
    shape, length = SHAPES[weights], min(length, num_frames)
    raw = [shape((place + 0.5) / length) for place in range(length)]
    totals = [0.0] * num_frames
    for start in starts:
        for place, weight in enumerate(raw):
            totals[start + place] += weight
    return tuple(
        Window(
            start,
            start + length,
            tuple(weight / totals[start + place] for place, weight in enumerate(raw)),
        )
        for start in starts
    )
