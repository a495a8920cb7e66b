"""Commands that run the pipeline, and look at what it made."""

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
    Replan,
    RunFolder,
    Store,
    Types,
    load_config,
    one_line_errors,
    with_access,
)

app = typer.Typer()
config_app = typer.Typer(
    help="Look at configurations.\n\nExample: strmatch config show --preset lavie",
    no_args_is_help=True,
)
app.add_typer(config_app, name="config")


@app.command()
@one_line_errors
def run(
    input: Input,
    output: Output,
    preset: Preset = "miniature",
    config: ConfigFile = None,
    set: Assign = None,
    limit: Limit = None,
    weights: Store = None,
    offline: Offline = False,
    replan: Replan = False,
    fork: Annotated[
        str | None,
        typer.Option(
            help="Run in this folder instead, with other settings; what they leave valid of OUTPUT "
            "is copied."
        ),
    ] = None,
    max_failed_share: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Stop a phase in which a larger share of rows fails."),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Write nothing: print counts and an estimate of hours and bytes."
        ),
    ] = False,
    gpu_hour: Annotated[
        float | None, typer.Option(min=0, help="Price of a GPU hour in dollars, for --dry-run.")
    ] = None,
) -> None:
    """Annotate, plan, edit, measure and publish: videos in, an edited dataset out.

    Models that this machine lacks are fetched from the hub first. The same command continues where
    an earlier one stopped. With --dry-run a few sources are edited and discarded to measure the
    speed, unless OUTPUT holds a run from which the speed is known.

    Example: strmatch run --input videos/ --output runs/first --set edit.lam=0.02

    Example: strmatch run --preset lavie --input s3://bucket/videos --output s3://bucket/edited
    """
    assignments = with_access(set, weights, offline)
    if max_failed_share is not None:
        assignments.append(f"execution.max_failed_share={max_failed_share}")
    settings = load_config(preset, config, assignments)
    from jobs.runs import commands

    if dry_run:
        from jobs.runs.estimate import estimate

        estimate(input, output, settings, limit, gpu_hour)
    elif fork:
        commands.fork(input, output, fork, settings, limit, replan)
    else:
        commands.run(input, output, settings, limit, replan)


@app.command()
@one_line_errors
def annotate(
    input: Input,
    output: Output,
    preset: Preset = "miniature",
    config: ConfigFile = None,
    set: Assign = None,
    limit: Limit = None,
    weights: Store = None,
    offline: Offline = False,
) -> None:
    """Only find clips, masks, captions and targets: OUTPUT/clips.

    Example: strmatch annotate --input videos/manifest.csv --output runs/first --limit 10
    """
    from jobs.runs import commands

    settings = load_config(preset, config, with_access(set, weights, offline))
    commands.annotate(input, output, settings, limit)


@app.command()
@one_line_errors
def plan(output: Output, set: Assign = None, replan: Replan = False) -> None:
    """Only plan the edits of annotated clips: OUTPUT/plan. Settings are those of the run.

    OUTPUT/plan/plan.parquet may be changed by hand before `strmatch edit`: delete rows, or write
    other prompts.

    Example: strmatch plan --output runs/first
    """
    from jobs.runs import commands

    commands.phase("plan", output, set or [], replan)


@app.command()
@one_line_errors
def edit(output: Output, set: Assign = None) -> None:
    """Only make the planned edits: OUTPUT/edits. Settings are those of the run.

    Edits that are measured and outside the limits have further tries, see edit.tries.

    Example: strmatch edit --output runs/first --set execution.editors=2
    """
    from jobs.runs import commands

    commands.phase("edit", output, set or [])


@app.command()
@one_line_errors
def measure(output: Output, set: Assign = None) -> None:
    """Only measure the edits that are there: OUTPUT/measures. Settings are those of the run.

    Example: strmatch measure --output runs/first --set "measure.metrics=[motion_error]"
    """
    from jobs.runs import commands

    commands.phase("measure", output, set or [])


@app.command()
@one_line_errors
def publish(output: Output, set: Assign = None) -> None:
    """Only write the dataset, its card and the report: OUTPUT/dataset, README.md, OUTPUT/report.

    Example: strmatch publish --output runs/first --set publish.limits.motion_error.max=3
    """
    from jobs.runs import commands

    commands.phase("publish", output, set or [])


@app.command()
@one_line_errors
def failures(
    output: RunFolder,
    type: Types = None,
    manifest: Annotated[
        Path | None,
        typer.Option(help="Write a manifest of what failed: .jsonl, .csv or .parquet."),
    ] = None,
    set: Assign = None,
) -> None:
    """Print what failed or was rejected in a run, by stage and reason.

    Example: strmatch failures runs/first --type Deadline --manifest slow.jsonl
    """
    from jobs.runs import failures as job

    job.show(output, type or [], manifest, set or [])


@app.command()
@one_line_errors
def retry(output: RunFolder, type: Types = None, set: Assign = None) -> None:
    """Do again what failed in a run, in all phases that the run has completed.

    Settings are those of the run. Sources that were not annotated yet are left alone.

    Example: strmatch retry runs/first --type WorkerDied --set execution.attempts=5
    """
    from jobs.runs import commands

    commands.retry(output, type or [], set or [])


@app.command()
@one_line_errors
def demo(output: Annotated[Path, typer.Option(help="Folder of the demo.")] = Path("demo")) -> None:
    """Render a few clips, take one real one, edit them all, and show a page of before and after.

    Example: strmatch demo --output demo
    """
    from jobs.runs import demo as job

    job.demo(output)


@app.command()
@one_line_errors
def check(
    preset: Preset = "miniature",
    config: ConfigFile = None,
    set: Assign = None,
    weights: Store = None,
    offline: Offline = False,
) -> None:
    """Check this machine for a run: decoders, models, memory, and an edit of two steps.

    Nothing is fetched. The exit code is 0 if all checks pass.

    Example: strmatch check --preset lavie
    """
    settings = load_config(preset, config, with_access(set, weights, offline))
    from jobs.runs.check import check as job

    job(settings)


@config_app.command("show")
@one_line_errors
def show(
    preset: Preset = "miniature",
    config: ConfigFile = None,
    set: Assign = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also print settings that few users change.")
    ] = False,
) -> None:
    """Print the resolved configuration with explanations, usable as a --config file.

    Settings of plug-ins that are not chosen are printed with --all only.

    Example: strmatch config show --preset lavie --set edit.lam=0.005 > lavie.yaml
    """
    from pipelines.config.loading import show as show_config

    typer.echo(show_config(load_config(preset, config, set or []), everything), nl=False)
