"""The commands, and what they do."""

from jobs import allocators as memory  # noqa: F401  before anything imports pyarrow
