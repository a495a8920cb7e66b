"""Metrics of edits, and whether the edits are within the limits."""

from typing import Any

import pyarrow as pa

from pipelines import plugins
from pipelines.config.config import Config
from pipelines.errors import RowError
from pipelines.ray_data.columns import beside, require
from pipelines.ray_data.isolated import Isolated
from pipelines.rows import Row, failure
from pipelines.schema import DATASET, MEASURES, with_metrics
from pipelines.stages.measure_clip import Target, measure_edits
from pipelines.stages.quality_limits import apply_limits


class MeasureRows:
    """Measures a batch of edits, and rejects those outside `publish.limits`.

    Reads and writes `schema.DATASET`, and adds a column for every metric. Rows that are not edits,
    or not ok, have no metrics.

    Args:
        config: the configuration.
    """

    def __init__(self, config: Config) -> None:
        windowed = plugins.windowed_metrics(config)
        self.schema = with_metrics(DATASET, config.measure.metrics, windowed)
        self.limits = dict(config.publish.bounds)
        self.window = config.clip.num_frames
        self.run = Isolated(RowMeasurer, (config.model_dump_json(),), config.execution)

    def __call__(self, batch: pa.Table) -> pa.Table:
        require(batch, DATASET.names, "measure")
        edits = batch.select(DATASET.names).to_pylist()
        return beside(batch, range(len(batch)), [self._row(edit) for edit in edits], self.schema)

    def _row(self, edit: Row) -> Row:
        if edit["level"] != "edit" or edit["status"] != "ok":
            return edit
        try:
            measured = self.run(edit, max(1.0, edit["num_frames"] / self.window))
        except RowError as error:
            return edit | failure("measure", error)
        columns = dict.fromkeys(MEASURES.names) | measured
        return edit | apply_limits(columns, self.limits)


class RowMeasurer:
    """Measures an edit that is given by its row, in a process of its own."""

    def __init__(self, config: str) -> None:
        self.config = Config.model_validate_json(config)
        self.metrics = plugins.metrics(self.config)

    def __call__(self, edit: Row) -> Any:
        target = Target(edit["target_prompt"], edit["target_where"], edit["edits"] or ())
        (measured,) = measure_edits(
            edit["source_prompt"],
            {edit["edit_id"]: target},
            [edit],
            lambda: edit,
            self.metrics,
            self.config.clip.num_frames,
        )
        return measured
