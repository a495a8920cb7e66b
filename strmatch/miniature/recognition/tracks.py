"""Recognition of a motion from the track of a sprite."""

import math

import torch
from torch import Tensor

from strmatch.miniature.motions import DIRECTIONS

MIN_WAY = 12.0  # pixels over the clip, half of the shortest that is rendered
MIN_STEP = 0.4  # pixels a frame, a quarter of the slowest that is rendered
STILL_RADIUS = 3.0  # pixels
MIN_GROWTH = 1.25  # last size / first size
MIN_TURN = math.radians(270)


def name_motion(track: Tensor, sizes: Tensor) -> str | None:
    """The motion that holds in most frames, or None.

    Args:
        track: float (f, 2), x and y in pixels, NaN in frames without a subject.
        sizes: float (f), any measure of length in pixels, NaN in the same frames.
    """
    seen = sizes.isfinite()
    if not _most(seen, len(track)) or len(track) < 2:
        return None
    intervals = len(track) - 1
    times = seen.nonzero()[:, 0].float() / intervals
    track, sizes = track[seen], sizes[seen]
    steps = track.diff(dim=0) / (intervals * times.diff()[:, None])  # pixels a frame
    way = _slope(times, track)  # pixels over the clip

    near = torch.linalg.vector_norm(track - track.median(dim=0).values, dim=1) < STILL_RADIUS
    if _most(near, intervals + 1) and float(way.norm()) < MIN_WAY / 2:
        return _name_growth(times, sizes)
    if float(way.norm()) >= MIN_WAY:
        name, direction = _nearest_direction(way)
        along = steps @ direction
        across = (steps - along[:, None] * direction).norm(dim=1)
        if _most((along >= MIN_STEP) & (across <= along), intervals):
            return name
        if _zigzags(steps, intervals):
            return "zigzag"
    return "circle" if _circles(track) else None


def continued(track: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
    """Track (f, 2) on the line through its known points, and sizes (f) as their mean, where NaN."""
    seen = sizes.isfinite()
    if int(seen.sum()) < 2:
        return track, sizes
    times = torch.linspace(0, 1, len(sizes))
    way = _slope(times[seen], track[seen])
    line = track[seen].mean(dim=0) + (times - times[seen].mean())[:, None] * way
    return torch.where(seen[:, None], track, line), torch.where(seen, sizes, sizes[seen].mean())


def _most(held: Tensor, total: int) -> bool:
    """True if `held` holds in more than half of `total`. Missing entries count as False."""
    return 2 * int(held.sum()) > total


def _slope(times: Tensor, values: Tensor) -> Tensor:
    """Change from time 0 to 1 along the least-squares line of values (n, ...)."""
    centred = times - times.mean()
    return torch.tensordot(centred, values, dims=1) / centred.square().sum()


def _name_growth(times: Tensor, sizes: Tensor) -> str:
    slope = float(_slope(times, sizes))
    start = float(sizes.mean()) - slope * float(times.mean())
    ratio = (start + slope) / start
    return "grow" if ratio >= MIN_GROWTH else "shrink" if ratio <= 1 / MIN_GROWTH else "still"


def _nearest_direction(way: Tensor) -> tuple[str, Tensor]:
    name = max(DIRECTIONS, key=lambda name: float(way @ way.new_tensor(DIRECTIONS[name])))
    return name, way.new_tensor(DIRECTIONS[name])


def _zigzags(steps: Tensor, intervals: int) -> bool:
    """True if most steps go right and alternate between up and down."""
    across, down = steps.unbind(dim=1)
    slanted = (across >= MIN_STEP) & (down.abs() >= MIN_STEP)
    turns = int((down[1:] * down[:-1] < 0).sum())
    return _most(slanted, intervals) and turns >= 2


def _circles(track: Tensor) -> bool:
    """True if the track goes once around its middle at about constant distance."""
    spokes = track - (track.amin(dim=0) + track.amax(dim=0)) / 2
    radius = spokes.norm(dim=1)
    if float(radius.mean()) < MIN_WAY / 2 or float(radius.std()) > 0.25 * float(radius.mean()):
        return False
    angles = torch.atan2(spokes[:, 1], spokes[:, 0]).diff()
    turned = torch.remainder(angles + math.pi, math.tau) - math.pi
    return abs(float(turned.sum())) >= MIN_TURN
