"""The common behaviour of stages: an exception becomes the outcome of its row."""

import time
from collections.abc import Callable

from pipelines import telemetry
from pipelines.reliability.deadline import Bound
from pipelines.rows import Row, failure


class Stage:
    """Calls `function(row) -> columns to set` on every row that is ok.

    An exception fails only its row. The duration is added to the row's `seconds`.

    Args:
        name: the stage, in `error_stage` and metrics.
        function: returns the columns to set.
        deadline: bounds the duration of every call.
        key: the column by which attempt records identify a row.
        window: number of frames of a window. The deadline of a longer clip is that much later.
    """

    def __init__(
        self,
        name: str,
        function: Callable[[Row], Row],
        deadline: Bound,
        key: str = "source_row",
        window: int | None = None,
    ) -> None:
        self.name = name
        self.function = function
        self.deadline = deadline
        self.key = key
        self.window = window

    def __call__(self, row: Row) -> Row:
        if row["status"] != "ok":
            return row
        started = time.perf_counter()
        try:
            windows = max(1.0, row["num_frames"] / self.window) if self.window else 1.0
            with self.deadline(self.name, row[self.key], windows):
                columns = self.function(row)
        except Exception as error:
            columns = failure(self.name, error)
        elapsed = time.perf_counter() - started
        telemetry.record_seconds(self.name, elapsed)
        return {**row, **columns, "seconds": row["seconds"] + elapsed}
