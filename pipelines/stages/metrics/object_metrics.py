"""The metrics of an edit of several objects: of each object, and of the whole.

The whole may look right where one of two objects stayed as it was. A metric that declares
`by_object` judges each object as the only one that was edited: the changes of the other objects are
undone, and the prompts differ in its words alone. Its value for the edit is that of the worst
object, so that limits apply to all.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np

from pipelines.english.change import EditedPrompt
from pipelines.english.parts import part_prompt
from pipelines.rows import Row
from pipelines.stages.metrics.windowed_metrics import measured
from strmatch.metrics.background import EDGE
from strmatch.metrics.base import Metric, Sample, Where
from strmatch.metrics.colour_difference import dilated


def measured_objects(
    metrics: Mapping[str, Metric], sample: Sample, objects: Sequence[Sample], length: int
) -> Row:
    """Compute the metrics of an edit of several objects.

    Args:
        metrics: by name.
        sample: the whole edit.
        objects: the edit of each object, see `object_samples`.
        length: number of frames of a window.

    Returns:
        As `windowed_metrics.measured`, and the column `by_object`.

    Raises:
        MetricFailed: as `measured`.
    """
    single = {name: each for name, each in metrics.items() if getattr(each, "by_object", False)}
    whole = {name: each for name, each in metrics.items() if name not in single}
    result = measured(whole, sample, length)
    each = [measured(single, one, length) for one in objects]
    messages = [row["measure_message"] for row in (result, *each)]
    merged = {
        column: [
            *(result[column] or ()),
            *((name, _worst(name, metric, column, each)) for name, metric in single.items()),
        ]
        for column in ("metrics", "worst")
        if result[column] is not None
    }
    return (
        result
        | merged
        | {"by_object": [row["metrics"] for row in each]}
        | {"measure_message": "; ".join(dict.fromkeys(filter(None, messages)))[:500] or None}
    )


def _worst(name: str, metric: Any, column: str, each: Sequence[Row]) -> float | None:
    """Returns the worst value of a metric over objects; None if no object has a value."""
    values = [value for row in each if (value := dict(row[column])[name]) is not None]
    choose = min if metric.worst == "lowest" else max
    return choose(values, default=None)


def object_samples(
    sample: Sample, regions: Sequence[np.ndarray], prompts: EditedPrompt
) -> list[Sample]:
    """Returns an edit of several objects as an edit of each of them.

    Args:
        sample: the whole edit.
        regions: where each object is edited, bool (f, H, W).
        prompts: of the edit, with its `edits`.
    """
    wide = [np.stack([dilated(frame, EDGE) for frame in region]) for region in regions]
    samples = []
    for number, (region, part) in enumerate(zip(regions, prompts.parts, strict=True)):
        others = np.any([each for n, each in enumerate(wide) if n != number], axis=0)
        undone = (others & ~wide[number])[..., None]
        samples.append(
            sample._replace(
                edited=np.where(undone, sample.source, sample.edited),
                mask=region,
                target_prompt=part_prompt(part),
                where=cast(Where, part.target_where),
            )
        )
    return samples
