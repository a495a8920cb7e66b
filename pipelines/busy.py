"""How much of the time the editors worked."""

from pipelines.stages.base import Row


class Busy:
    """Collects when clips were begun and done, by the clocks of those who did them."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.first, self.last = float("inf"), float("-inf")

    def see(self, row: Row) -> None:
        """Look at a clip with `began` and `ended`; one that was given up has none."""
        if row["began"] is None:
            return
        self.seconds += row["ended"] - row["began"]
        self.first, self.last = min(self.first, row["began"]), max(self.last, row["ended"])

    def share(self, editors: int) -> float:
        """Of the time from the first clip's begin to the last one's end, 0 to 1."""
        return self.seconds / (editors * (self.last - self.first)) if self.seconds else 0.0
