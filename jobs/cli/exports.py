"""Commands that export the edits of a run in formats that others read."""

from typing import Annotated

import typer

from jobs.cli import export_lerobot, export_sinks
from jobs.cli.options import Assign, RunFolder, To, one_line_errors

app = typer.Typer()
export_app = typer.Typer(
    help="Export the edits that are ok in a format that other tools read.\n\n"
    "Example: strmatch export pairs runs/first --to exports/pairs",
    no_args_is_help=True,
)
export_app.add_typer(export_sinks.app)
export_app.add_typer(export_lerobot.app)
app.add_typer(export_app, name="export")

Inverse = Annotated[
    bool, typer.Option("--inverse", help="Add the way back: from each edit to its source.")
]
Wordings = Annotated[
    int,
    typer.Option(min=1, help="Number of rows of each edit, with the instruction in other words."),
]


@export_app.command()
@one_line_errors
def pairs(
    output: RunFolder,
    to: To,
    inverse: Inverse = False,
    wordings: Wordings = 1,
    set: Assign = None,
) -> None:
    """Export lists of source, edit and instruction (CSV and JSON lines) beside MP4 files.

    Example: strmatch export pairs runs/first --to exports/pairs --inverse --wordings 3
    """
    from jobs.exports import command as job
    from pipelines.exports.pairs import Pairs

    job.run(output, to, Pairs(inverse, wordings), set or [])


@export_app.command()
@one_line_errors
def videofolder(
    output: RunFolder,
    to: To,
    inverse: Inverse = False,
    wordings: Wordings = 1,
    set: Assign = None,
) -> None:
    """Export MP4 files and metadata.jsonl, which `datasets` loads as columns of videos.

    Example: strmatch export videofolder runs/first --to exports/videofolder
    """
    from jobs.exports import command as job
    from pipelines.exports.videofolder import VideoFolder

    job.run(output, to, VideoFolder(inverse, wordings), set or [])


@export_app.command()
@one_line_errors
def webdataset(
    output: RunFolder,
    to: To,
    shard_mb: Annotated[
        float, typer.Option(min=0, help="Approximate size of a shard, megabytes.")
    ] = 512,
    set: Assign = None,
) -> None:
    """Export tar shards with source, edit and metadata, for the library webdataset.

    Example: strmatch export webdataset runs/first --to exports/webdataset --shard-mb 1000
    """
    from jobs.exports import command as job
    from pipelines.exports.webdataset import WebDataset

    job.run(output, to, WebDataset(shard_mb), set or [])


@export_app.command()
@one_line_errors
def qa(output: RunFolder, to: To, set: Assign = None) -> None:
    """Export questions that source and edit answer differently (JSON lines), beside MP4 files.

    Example: strmatch export qa runs/first --to exports/qa
    """
    from jobs.exports import command as job
    from pipelines.exports.qa import QuestionsAndAnswers

    job.run(output, to, QuestionsAndAnswers(), set or [])


@export_app.command()
@one_line_errors
def dpo(output: RunFolder, to: To, set: Assign = None) -> None:
    """Export questions with a chosen and a rejected answer (JSON lines), beside MP4 files.

    Example: strmatch export dpo runs/first --to exports/dpo
    """
    from jobs.exports import command as job
    from pipelines.exports.dpo import Preferences

    job.run(output, to, Preferences(), set or [])
