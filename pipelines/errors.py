"""The two ways in which things go wrong: for one row, or for the whole run."""


class RowError(Exception):
    """A failure that costs one row.

    Args:
        type: a short CamelCase code, the same for every row that fails in this way.
        message: one line that names the cause and what to do about it.
    """

    def __init__(self, type: str, message: str) -> None:
        super().__init__(type, message)  # both in args: it is pickled between workers
        self.type = type
        self.message = message

    def __str__(self) -> str:
        return f"{self.type}: {self.message}"


class Rejected(RowError):
    """A row that nothing failed at, but that is not worth an edit: its status is `rejected`."""


def last_line(error: BaseException) -> str:
    """The last line of what went wrong in a worker, which names the cause."""
    cause = getattr(error, "cause", None) or error
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    return lines[-1] if lines else type(cause).__name__


class RunError(Exception):
    """A failure that ends the run. Its text is one line for the person who started it."""


class ConfigError(RunError):
    """A configuration that cannot be used."""


class InputError(RunError):
    """An input that is not there or cannot be read."""
