"""The metrics of single edits, of which the page counts those that other bounds would accept."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.tables.outcomes import within_reach

MOST = 20_000
"""Maximum number of edits whose metrics the page has."""
LARGEST = np.finfo(float).max


class EditSample:
    """Collects the metrics of the edits whose status the bounds decide, at most `most` of them.

    Args:
        columns: the columns of metrics.
        most: maximum number of edits. Of more, those with the lowest hashes are kept.
    """

    def __init__(self, columns: Sequence[str], most: int = MOST) -> None:
        self.columns = list(columns)
        self.most = most
        self.count = 0
        """Number of edits whose status the bounds decide, those that were not kept included."""
        self._hashes = np.empty(0, np.uint64)
        self._values = np.empty((0, len(self.columns)))

    def add(self, table: pa.Table, hashes: np.ndarray) -> None:
        """Add the edits of a table.

        Args:
            table: has `columns` and those of `tables.outcomes.COUNTED`.
            hashes: uint64 (rows,), evenly distributed.
        """
        edits = within_reach(table.append_column("hash", pa.array(hashes, pa.uint64())))
        self.count += len(edits)
        columns = [edits[name].to_numpy() for name in self.columns]
        values = np.array(columns, float).reshape(len(self.columns), len(edits)).T
        self._hashes = np.concatenate([self._hashes, edits["hash"].to_numpy()])
        # A bound is finite: the largest number is on the same side of it as infinity.
        self._values = np.concatenate([self._values, values.clip(-LARGEST, LARGEST)])
        if len(self._hashes) > self.most:
            kept = np.argpartition(self._hashes, self.most)[: self.most]
            self._hashes, self._values = self._hashes[kept], self._values[kept]

    def as_json(self) -> dict[str, Any]:
        """Returns the numbers of edits that the bounds decide and that are kept, and their values.

        The values are lists by metric, with None where the metric does not apply.
        """
        values = self._values.T.astype(object)
        values[np.isnan(self._values.T)] = None
        return {"count": self.count, "kept": len(self._hashes), "values": values.tolist()}
