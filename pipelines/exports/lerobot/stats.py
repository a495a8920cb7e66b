"""Statistics of episodes as LeRobot keeps them: of edited videos, of numbers, and of all together.

Images are values from 0 to 1 for each channel, of evenly spaced frames.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

QUANTILE = re.compile(r"q\d\d")
Stats = Mapping[str, Any]
"""min, max, mean, std, count and quantiles (q01 …) of a feature, as lists."""
LEAST_FRAMES, MOST_FRAMES, POWER = 100, 10_000, 0.75
"""Number of frames that are looked at: length ** POWER, within these bounds."""
LARGE, REDUCED = 300, 150
"""Pictures with a side of LARGE pixels are reduced to about REDUCED, by leaving out pixels."""


def sampled_frames(length: int) -> list[int]:
    """Returns the frames of an episode whose pixels are counted."""
    count = max(min(LEAST_FRAMES, length), min(int(length**POWER), MOST_FRAMES))
    return np.round(np.linspace(0, length - 1, count)).astype(int).tolist()


def image_stats(pictures: Iterable[np.ndarray], names: Iterable[str]) -> Stats:
    """Returns the statistics of pictures, exact for the pixels that are counted.

    Args:
        pictures: uint8 (H, W, 3), those of `sampled_frames`.
        names: the statistics.
    """
    counts, frames = np.zeros((3, 256), np.int64), 0
    for picture in pictures:
        height, width = picture.shape[:2]
        longer = max(height, width)
        step = max(1, longer // REDUCED) if longer >= LARGE else 1
        for channel in range(3):
            pixels = picture[::step, ::step, channel]
            counts[channel] += np.bincount(pixels.ravel(), minlength=256)
        frames += 1
    each = [np.repeat(np.arange(256, dtype=np.uint8), channel) for channel in counts]
    found: dict[str, Any] = {"count": [frames]}
    for name in names:
        if name != "count":
            found[name] = [[[float(_statistic(values, name)) / 255]] for values in each]
    return found


def number_stats(values: np.ndarray, names: Iterable[str]) -> Stats:
    """Returns the statistics of a column of whole numbers, int (n,)."""
    found = {name: [_statistic(values, name).item()] for name in names if name != "count"}
    return found | {"count": [len(values)]}


def _statistic(values: np.ndarray, name: str) -> Any:
    if QUANTILE.fullmatch(name):
        return np.quantile(values, int(name[1:]) / 100)
    if name in ("mean", "std"):
        return getattr(values, name)(dtype=np.float64)
    return getattr(values, name)()


class Total:
    """The statistics of all episodes, from those of each, as LeRobot combines them."""

    def __init__(self) -> None:
        self._features: dict[str, dict[str, Any]] = {}

    def add(self, episode: Mapping[str, Stats]) -> None:
        """Add the statistics of an episode, by feature."""
        for feature, stats in episode.items():
            of = {name: np.array(value, np.float64) for name, value in stats.items()}
            held = self._features.get(feature)
            self._features[feature] = of if held is None else _combined(held, of)

    def result(self) -> dict[str, dict[str, Any]]:
        """Returns the statistics of all episodes, as JSON values."""
        return {
            feature: {
                name: value.astype(np.int64).tolist() if name == "count" else value.tolist()
                for name, value in of.items()
            }
            for feature, of in self._features.items()
        }


def _combined(a: Mapping[str, np.ndarray], b: Mapping[str, np.ndarray]) -> dict[str, Any]:
    count = a["count"] + b["count"]
    share = b["count"] / count
    apart = b["mean"] - a["mean"]
    variance = (1 - share) * a["std"] ** 2 + share * b["std"] ** 2
    found = {
        "min": np.minimum(a["min"], b["min"]),
        "max": np.maximum(a["max"], b["max"]),
        "mean": a["mean"] + share * apart,
        "std": np.sqrt(variance + share * (1 - share) * apart**2),
        "count": count,
    }
    # The mean of quantiles, weighted: quantiles of all values cannot be known.
    for name in a.keys() & b.keys() - found.keys():
        found[name] = (1 - share) * a[name] + share * b[name]
    return {name: found[name] for name in a if name in found}
