"""When to stop early: everything fails alike, or too much fails."""

from pipelines.config.sections import Execution
from pipelines.errors import RunError
from pipelines.rows import Row

ALIKE = 20
"""Equal errors in a row after which a phase stops: their cause is not the rows."""
SAMPLE = 100
"""Rows after which a share of failures says something."""


class CircuitBreaker:
    """Looks at the outcomes of a phase as they come."""

    def __init__(self, phase: str, execution: Execution) -> None:
        self.phase = phase
        self.share = execution.max_failed_share
        self.done = self.failed = self.alike = 0
        self.error = ""

    def add(self, row: Row) -> None:
        """Look at what one committed file holds: counts, and `failures`.

        What decoding finds wrong is the video's fault, and says nothing about the others.

        Raises:
            RunError: it is time to stop; names the cause.
        """
        self.done += row["ok"] + row["rejected"] + row["failed"]
        self.failed += row["failed"]
        if row["ok"] or row["rejected"]:
            self.alike = 0
        for failure in row["failures"]:
            if failure["error_stage"] == "decode":
                continue
            error = "{error_stage}: {error_type}: {error_message}".format(**failure)
            self.alike = self.alike + 1 if error == self.error else 1
            self.error = error
        if self.alike >= ALIKE:
            raise RunError(
                f"{self.phase} stopped: {self.alike} rows in a row failed alike ({self.error})"
            )
        self._compare(max(self.done, SAMPLE))

    def finish(self) -> None:
        """Look at the phase as a whole.

        Raises:
            RunError: more than `execution.max_failed_share` of it failed.
        """
        self._compare(self.done)

    def _compare(self, rows: int) -> None:
        if self.failed > self.share * rows:
            raise RunError(
                f"{self.phase} stopped: {self.failed} of {self.done} rows failed, more than "
                f"execution.max_failed_share, {self.share:g}; see `strmatch failures`"
            )
