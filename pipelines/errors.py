"""The one exception that a stage raises to give up a row and keep the rest of the run."""


class RowError(Exception):
    """A failure that costs one row.

    type: short CamelCase code, the same for every row that fails in this way
    message: one line that names the cause and what to do about it
    stage: the stage that failed, set by whoever runs the stage
    """

    def __init__(self, type: str, message: str) -> None:
        super().__init__(type, message)  # both in args: it is pickled between workers
        self.type = type
        self.message = message
        self.stage: str | None = None

    def __str__(self) -> str:
        return f"{self.type}: {self.message}"


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
