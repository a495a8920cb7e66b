"""Errors that fail one row, and errors that end the whole run."""


class RowError(Exception):
    """A failure of one row. Other rows are not affected.

    Args:
        type: a short CamelCase code, the same for all failures of this kind.
        message: one line that names the cause and a remedy.
    """

    def __init__(self, type: str, message: str) -> None:
        super().__init__(type, message)  # both in args, which pickling between workers requires
        self.type = type
        self.message = message

    def __str__(self) -> str:
        return f"{self.type}: {self.message}"


class Rejected(RowError):
    """A row that is unsuitable for an edit. The row gets the status `rejected`."""


class RunError(Exception):
    """A failure that ends the run. The message is one line for the user."""


class ConfigError(RunError):
    """An invalid configuration."""


class InputError(RunError):
    """An input that is missing or cannot be read."""
