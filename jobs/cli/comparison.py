"""The command that compares editors."""

from typing import Annotated

import typer

from jobs.cli.options import (
    Assign,
    ConfigFile,
    Input,
    Limit,
    Offline,
    Preset,
    Store,
    one_line_errors,
    with_access,
)

app = typer.Typer()


@app.command()
@one_line_errors
def compare(
    input: Input,
    output: Annotated[str, typer.Option(help="Folder or fsspec URI of the comparison.")],
    editors: Annotated[
        str,
        typer.Option(
            help="Two or more, separated by commas: an editor, a preset, or NAME=WHAT, where WHAT "
            "is one of these or a YAML file with settings of that editor alone (editor, "
            "editor_options, edit, backbone, execution). Differences are to the first."
        ),
    ],
    preset: Preset = "miniature",
    config: ConfigFile = None,
    set: Assign = None,
    limit: Limit = None,
    weights: Store = None,
    offline: Offline = False,
) -> None:
    """Edit the same clips by several editors, and show the edits and their metrics side by side.

    Clips, masks, captions and targets are found once, and every editor is measured by the same
    metrics and limits. OUTPUT/editors/NAME is the run of an editor, for all other commands.
    OUTPUT/report has the videos and a table with intervals, OUTPUT/figures.json all figures. The
    same command continues where an earlier one stopped, and may name further editors.

    Example: strmatch compare --input videos/ --output runs/compare --editors str_match,sdedit,dmt

    Example: strmatch compare --input videos/ --output runs/compare --editors str_match,weak=w.yaml

    The file w.yaml has, for example: {editor: sdedit, editor_options: {strength: 0.4}}
    """
    from jobs.comparison.entries import read_editors

    configs = read_editors(editors, preset, config, with_access(set, weights, offline))
    from jobs.comparison.command import compare as job

    job(input, output, configs, limit)
