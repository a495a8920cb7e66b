"""Commands that run the pipeline as a job of a Ray cluster."""

from pathlib import Path
from typing import Annotated

import typer

from jobs.cli.options import (
    Assign,
    ConfigFile,
    Input,
    Limit,
    Offline,
    Output,
    Preset,
    Store,
    load_config,
    one_line_errors,
    with_access,
)

app = typer.Typer()
job_app = typer.Typer(
    help="Look after submitted runs.\n\nExample: strmatch job logs strmatch-0123456789 --follow",
    no_args_is_help=True,
)
app.add_typer(job_app, name="job")

Address = Annotated[
    str | None,
    typer.Option(
        help="Of a Ray cluster's jobs, as http://head:8265; default: $RAY_API_SERVER_ADDRESS or "
        "$RAY_ADDRESS, else the cluster on this machine."
    ),
]
Job = Annotated[str, typer.Argument(help="The id that `strmatch submit` printed.")]


@app.command()
@one_line_errors
def submit(
    input: Input,
    output: Output,
    preset: Preset = "miniature",
    config: ConfigFile = None,
    set: Assign = None,
    limit: Limit = None,
    weights: Store = None,
    offline: Offline = False,
    address: Address = None,
    id: Annotated[
        str | None,
        typer.Option(help="Name of the job; default: a hash of input, output and settings."),
    ] = None,
    working_dir: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="Folder with code of your own to send along, without videos and weights.",
        ),
    ] = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Submit and return; do not follow the log.")
    ] = False,
) -> None:
    """Do a run as a job of a Ray cluster, on which strmatch is installed; exit as the job does.

    A run that waits or runs there already is followed, one that has made its dataset is reported,
    and one that ended otherwise is submitted again and goes on from where it was.

    Example: strmatch submit --address http://head:8265 --input s3://b/in --output s3://b/runs/1
    """
    from jobs.submission import commands as job

    settings = load_config(preset, config, with_access(set, weights, offline))
    job.submit(input, output, settings, limit, address, id, working_dir, detach)


@job_app.command("status")
@one_line_errors
def job_status(job: Job, address: Address = None) -> None:
    """Print how a submitted run stands.

    Example: strmatch job status strmatch-0123456789
    """
    from jobs.submission import commands as submit

    submit.status(job, address)


@job_app.command("logs")
@one_line_errors
def job_logs(
    job: Job,
    address: Address = None,
    follow: Annotated[bool, typer.Option("--follow", help="Until it ends.")] = False,
) -> None:
    """Print the log of a submitted run.

    Example: strmatch job logs strmatch-0123456789 --follow
    """
    from jobs.submission import commands as submit

    submit.logs(job, address, follow)


@job_app.command("stop")
@one_line_errors
def job_stop(job: Job, address: Address = None) -> None:
    """Stop a submitted run; what it committed is kept.

    Example: strmatch job stop strmatch-0123456789
    """
    from jobs.submission import commands as submit

    submit.stop(job, address)
