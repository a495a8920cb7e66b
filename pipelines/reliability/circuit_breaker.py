"""Stops a phase early if all rows fail with the same error, or too many rows fail."""

from pipelines.config.sections import Execution
from pipelines.errors import RunError
from pipelines.rows import Row

ALIKE = 20
"""Consecutive equal errors after which a phase stops: the rows are not their cause."""
SAMPLE = 100
"""Minimum number of rows for a share of failures to be significant."""


class CircuitBreaker:
    """Counts the outcomes of a phase.

    Args:
        phase: its name, for messages.
        execution: `max_failed_share` is the limit.
    """

    def __init__(self, phase: str, execution: Execution) -> None:
        self.phase = phase
        self.share = execution.max_failed_share
        self.done = self.failed = self.alike = 0
        self.error = ""

    def add(self, row: Row) -> None:
        """Add the counts and `failures` of one committed file.

        Errors of the stage `decode` are ignored: a bad video is no evidence about other videos.

        Raises:
            RunError: the phase must stop; names the cause.
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
        """Check the share of failures of the whole phase.

        Raises:
            RunError: more than `execution.max_failed_share` of the rows failed.
        """
        self._compare(self.done)

    def _compare(self, rows: int) -> None:
        if self.failed > self.share * rows:
            raise RunError(
                f"{self.phase} stopped: {self.failed} of {self.done} rows failed, more than "
                f"execution.max_failed_share, {self.share:g}; see `strmatch failures`"
            )
