"""The commands, and what they do."""

from jobs import memory  # noqa: F401  before anything imports pyarrow
