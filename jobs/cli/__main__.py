"""`python -m jobs.cli`: the command `strmatch`, for where it is not on the path."""

from jobs.cli import run_command

run_command()
