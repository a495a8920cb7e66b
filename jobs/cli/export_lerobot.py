"""The command that exports edited episodes as a LeRobot dataset."""

from typing import Annotated, Literal

import typer

from jobs.cli.options import Assign, RunFolder, To, one_line_errors

app = typer.Typer()

SHARES = {"all": 1.0, "none": 0.0}


@app.command()
@one_line_errors
def lerobot(
    output: RunFolder,
    to: To,
    source: Annotated[
        str | None,
        typer.Option(
            help="The LeRobot dataset that was edited: a path, an fsspec URI or a hub id. Default: "
            "the run's input."
        ),
    ] = None,
    version: Annotated[
        Literal["v3.0", "v2.1"], typer.Option(help="Version of the LeRobot format.")
    ] = "v3.0",
    originals: Annotated[
        str,
        typer.Option(
            help="Episodes of the source beside the edited ones: all, none, or a share, 0–1."
        ),
    ] = "all",
    set: Assign = None,
) -> None:
    """Export edited episodes as a LeRobot dataset, with all other data of the source unchanged.

    An episode is exported if its edits are ok in all cameras. Needs publish.size=source.

    Example: strmatch export lerobot runs/first --to exports/lerobot

    Example: strmatch export lerobot runs/first --to exports/v21 --version v2.1 --originals 0.5
    """
    from jobs.exports import lerobot as job

    job.run(output, to, source, version, _share(originals), set or [])


def _share(text: str) -> float:
    try:
        share = SHARES.get(text, float(text) if text not in SHARES else 0.0)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise typer.BadParameter(f"--originals {text}: want all, none, or a share from 0 to 1")
    return share
