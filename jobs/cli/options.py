"""What commands have in common: their options, and how they end where they cannot go on."""

import sys
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

from pipelines.errors import RunError
from strmatch.presets import PRESETS

Input = Annotated[
    str,
    typer.Option(
        help="Folder, glob, video, or manifest (.parquet, .jsonl, .csv with a column uri); "
        "a path or an fsspec URI."
    ),
]
Output = Annotated[str, typer.Option(help="Folder or fsspec URI of the run.")]
Preset = Annotated[
    str,
    typer.Option(
        help=f"Settings for a backbone: {', '.join(PRESETS.built_in)}, or one of another package. "
        "miniature and miniature-fast are embedded and run on a CPU."
    ),
]
Weights = Annotated[
    str | None, typer.Option(help="Folder or fsspec URI of a model; default: the preset's.")
]
ConfigFile = Annotated[
    str | None, typer.Option("--config", help="YAML file, as `strmatch config show` prints it.")
]
Assign = Annotated[
    list[str] | None,
    typer.Option("--set", help="section.key=value, the value in YAML. May be repeated."),
]
RunFolder = Annotated[str, typer.Argument(help="Folder or fsspec URI of the run.")]
Types = Annotated[
    list[str] | None,
    typer.Option(help="Only failures of this error_type. May be repeated."),
]
Replan = Annotated[
    bool, typer.Option("--replan", help="Plan anew, whatever was changed in it by hand.")
]
Limit = Annotated[int | None, typer.Option(min=1, help="Take only the first so many sources.")]


def one_line_errors(command: Callable[..., None]) -> Callable[..., None]:
    """End a command with one line and exit code 1 where a run cannot go on."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except RunError as error:
            print(f"strmatch: {' '.join(str(error).split())}", file=sys.stderr)
            raise typer.Exit(1) from error
        except KeyboardInterrupt:
            print("strmatch: interrupted; the same command goes on from here", file=sys.stderr)
            raise typer.Exit(130) from None

    return wrapped
