"""The metrics of an edit, and those of the worst window of a clip longer than a window.

An edit of a minute may be right but for one second. The mean over the clip would hide that second.
"""

import math
from collections.abc import Iterator, Mapping

from pipelines.rows import Row
from strmatch.metrics.base import Metric, NotMeasured, Sample
from strmatch.sampling.windows import window_starts


class MetricFailed(Exception):
    """A metric raised an exception, which is the cause of this one.

    Args:
        metric: name of the metric.
    """

    def __init__(self, metric: str) -> None:
        super().__init__(metric)
        self.metric = metric


def measured(metrics: Mapping[str, Metric], sample: Sample, length: int) -> Row:
    """Compute the metrics of an edit.

    A metric that declares `worst` is computed for each window of the clip, so that its memory does
    not grow with the clip. Its value is the mean of the windows that have a value.

    Args:
        metrics: by name.
        sample: the edit.
        length: number of frames of a window.

    Returns:
        The columns `metrics`, `worst` and `measure_message` of `schema.MEASURES`.

    Raises:
        MetricFailed: a metric raised anything but `NotMeasured`.
    """
    worst = {name: getattr(metric, "worst", None) for name, metric in metrics.items()}
    by_window = [name for name in metrics if worst[name]]
    found: dict[str, list[float]] = {name: [] for name in metrics}
    reasons: dict[str, None] = {}

    def add(part: Sample, name: str) -> None:
        try:
            value = float(metrics[name](part))
        except NotMeasured as error:
            reasons[f"{name}: {' '.join(str(error).split())}"] = None
        except Exception as error:
            raise MetricFailed(name) from error
        else:
            found[name] += [] if math.isnan(value) else [value]

    for name in metrics:
        if not worst[name]:
            add(sample, name)
    for window in windows(sample, length):
        for name in by_window:  # metrics of one window share its optical flow
            add(window, name)
    means = {name: sum(each) / len(each) if each else None for name, each in found.items()}
    chosen = {name: min if worst[name] == "lowest" else max for name in by_window}
    extremes = [(name, choose(found[name], default=None)) for name, choose in chosen.items()]
    return {
        "metrics": list(means.items()),
        "worst": extremes if len(sample.source) > length else None,
        "measure_message": "; ".join(reasons)[:500] or None,
    }


def windows(sample: Sample, length: int) -> Iterator[Sample]:
    """Yields the windows of an edit, one after the other. The last one ends with the clip."""
    if len(sample.source) <= length:
        yield sample
        return
    for start in window_starts(len(sample.source), length, length):
        frames = slice(start, start + length)
        yield sample._replace(
            source=sample.source[frames],
            edited=sample.edited[frames],
            mask=None if sample.mask is None else sample.mask[frames],
        )
