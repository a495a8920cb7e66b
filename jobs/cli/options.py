"""Options that commands share, and the end of commands that fail."""

import json
from collections.abc import Callable, Iterable
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobs import logs
from pipelines.causes import cause, place
from pipelines.errors import RunError
from strmatch.presets import PRESETS

if TYPE_CHECKING:
    from pipelines.config.config import Config

Input = Annotated[
    str,
    typer.Option(
        help="Folder, glob, video, or manifest (.parquet, .jsonl, .csv with a column uri); "
        "a path or an fsspec URI. Or a LeRobot dataset, lerobot:// before a path, URI or hub id."
    ),
]
Output = Annotated[str, typer.Option(help="Folder or fsspec URI of the run.")]
Preset = Annotated[
    str,
    typer.Option(
        help=f"Settings for a model: {', '.join(PRESETS.built_in)}, or one of another package. "
        "miniature and miniature-fast are embedded, run on a CPU, and are measured. The others are "
        "unmeasured."
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
Store = Annotated[
    str | None,
    typer.Option(
        "--weights",
        help="Folder or fsspec URI that `strmatch weights fetch --preset` wrote: models are taken "
        "from there. Default: the hub.",
    ),
]
Offline = Annotated[
    bool,
    typer.Option("--offline", help="Use the models that each machine has cached; fetch none."),
]
RunFolder = Annotated[str, typer.Argument(help="Folder or fsspec URI of the run.")]
To = Annotated[
    str,
    typer.Option(
        help="Folder or fsspec URI to write, empty. The same command continues an export that was "
        "interrupted."
    ),
]
Types = Annotated[
    list[str] | None,
    typer.Option(help="Only failures of this error_type. May be repeated."),
]
Replan = Annotated[
    bool,
    typer.Option(
        "--replan", help="Discard the plan with its changes made by hand, and plan again."
    ),
]
Limit = Annotated[
    int | None, typer.Option(min=1, help="Maximum number of sources, the first ones of the input.")
]


def with_access(assignments: list[str] | None, weights: str | None, offline: bool) -> list[str]:
    """The assignments of --set, --weights and --offline."""
    found = list(assignments or [])
    if weights is not None:
        found.append(f"execution.weights={json.dumps(weights)}")
    if offline:
        found.append("execution.offline=true")
    return found


def load_config(preset: str, config: str | None, assignments: Iterable[str]) -> "Config":
    """`pipelines.config.loading.load_config`, imported where a command runs, not for its help."""
    from pipelines.config.loading import load_config as load

    return load(preset, config, assignments)


def one_line_errors(command: Callable[..., None]) -> Callable[..., None]:
    """End a command that raises an exception with one line and exit code 1."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except RunError as error:
            logs.last_line(" ".join(str(error).split()))
            raise typer.Exit(1) from error
        except KeyboardInterrupt:
            logs.last_line("interrupted; the same command goes on from here")
            raise typer.Exit(130) from None
        except (typer.Exit, typer.Abort, typer.BadParameter, BrokenPipeError):
            raise
        except Exception as error:
            logs.last_line(f"{cause(error)} ({place(error)})")
            raise typer.Exit(1) from error

    return wrapped
