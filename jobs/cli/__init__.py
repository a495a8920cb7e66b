"""The command `strmatch`."""

import logging
import os
import sys
from contextlib import suppress
from typing import Annotated, NoReturn

import typer

from jobs import logs
from jobs.cli import cluster_jobs as submission
from jobs.cli import comparison, exports, proof, runs, servers
from jobs.cli import models as model
from jobs.cli.literal_help import escape_help
from strmatch import __version__

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for commands in (runs, comparison, exports, submission, servers, model, proof):
    app.add_typer(commands.app)
escape_help(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"strmatch {__version__}")
        raise typer.Exit


@app.callback()
def main(
    log_format: Annotated[
        logs.LogFormat, typer.Option(help="For a person, or one JSON line an event.")
    ] = "text",
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Edit videos at dataset scale with STR-Match.

    Example: strmatch run --input videos/ --output runs/first
    """
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # of loading small local files
    logs.start(log_format)


def run_command() -> NoReturn:
    """Run the command of this process, and exit with its code.

    The process ends without the libraries' own clean-up at exit. Their threads can abort a process
    that has done its work, and the exit code would be that of a crash.
    """
    code: str | int | None = 0
    try:
        app(prog_name="strmatch")
    except SystemExit as ended:
        code = ended.code
    logging.shutdown()
    with suppress(BrokenPipeError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 1 if code else 0)
