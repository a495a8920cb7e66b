"""The command `strmatch`."""

import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from jobs import logs
from pipelines.config import load_config, to_yaml
from pipelines.errors import RunError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
config_app = typer.Typer(
    help="Look at configurations.\n\nExample: strmatch config show --preset lavie",
    no_args_is_help=True,
)
app.add_typer(config_app, name="config")
weights_app = typer.Typer(
    help="Get published weights.\n\n"
    "Example: strmatch weights fetch lavie --to s3://bucket/models/lavie",
    no_args_is_help=True,
)
app.add_typer(weights_app, name="weights")
job_app = typer.Typer(
    help="Look after submitted runs.\n\nExample: strmatch job logs strmatch-0123456789 --follow",
    no_args_is_help=True,
)
app.add_typer(job_app, name="job")

Input = Annotated[
    str,
    typer.Option(
        help="Folder, glob, video, or manifest (.parquet, .jsonl, .csv with a column uri); "
        "a path or an fsspec URI."
    ),
]
Output = Annotated[str, typer.Option(help="Folder or fsspec URI of the run.")]
Preset = Annotated[
    str, typer.Option(help="miniature (embedded, for a CPU), lavie, zeroscope or animatediff.")
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
Address = Annotated[
    str | None,
    typer.Option(
        help="Of a Ray cluster's jobs, as http://head:8265; default: $RAY_API_SERVER_ADDRESS or "
        "$RAY_ADDRESS, else the cluster on this machine."
    ),
]
Job = Annotated[str, typer.Argument(help="The id that `strmatch submit` printed.")]


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


@app.callback()
def main(
    log_format: Annotated[
        logs.LogFormat, typer.Option(help="For a person, or one JSON line an event.")
    ] = "text",
) -> None:
    """Edit videos at dataset scale with STR-Match.

    Example: strmatch run --input videos/ --output runs/first
    """
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # of loading small local files
    logs.start(log_format)


@app.command()
@one_line_errors
def run(
    input: Input,
    output: Output,
    preset: Preset = "miniature",
    config: ConfigFile = None,
    set: Assign = None,
    limit: Limit = None,
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
    """Annotate, plan, edit and publish: videos in, an edited dataset out.

    The same command goes on where an earlier one stopped. With --dry-run a few sources are edited
    and thrown away to measure the speed, unless OUTPUT holds a run that tells it.

    Example: strmatch run --input videos/ --output runs/first --set edit.lam=0.02
    """
    from jobs import commands

    assignments = list(set or [])
    if max_failed_share is not None:
        assignments.append(f"execution.max_failed_share={max_failed_share}")
    settings = load_config(preset, config, assignments)
    if dry_run:
        from jobs.estimate import estimate

        estimate(input, output, settings, limit, gpu_hour)
    elif fork:
        commands.fork(input, output, fork, settings, limit, replan)
    else:
        commands.run(input, output, settings, limit, replan)


@app.command()
@one_line_errors
def submit(
    input: Input,
    output: Output,
    preset: Preset = "miniature",
    config: ConfigFile = None,
    set: Assign = None,
    limit: Limit = None,
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
    from jobs import submit as job

    settings = load_config(preset, config, set or [])
    job.submit(input, output, settings, limit, address, id, working_dir, detach)


@job_app.command("status")
@one_line_errors
def job_status(job: Job, address: Address = None) -> None:
    """Print how a submitted run stands.

    Example: strmatch job status strmatch-0123456789
    """
    from jobs import submit

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
    from jobs import submit

    submit.logs(job, address, follow)


@job_app.command("stop")
@one_line_errors
def job_stop(job: Job, address: Address = None) -> None:
    """Stop a submitted run; what it committed is kept.

    Example: strmatch job stop strmatch-0123456789
    """
    from jobs import submit

    submit.stop(job, address)


@app.command()
@one_line_errors
def annotate(
    input: Input,
    output: Output,
    preset: Preset = "miniature",
    config: ConfigFile = None,
    set: Assign = None,
    limit: Limit = None,
) -> None:
    """Only find clips, masks, captions and targets: OUTPUT/clips.

    Example: strmatch annotate --input videos/manifest.csv --output runs/first --limit 10
    """
    from jobs import commands

    commands.annotate(input, output, load_config(preset, config, set or []), limit)


@app.command()
@one_line_errors
def plan(output: Output, set: Assign = None, replan: Replan = False) -> None:
    """Only plan the edits of annotated clips: OUTPUT/plan. Settings are those of the run.

    OUTPUT/plan/plan.parquet may be changed by hand before `strmatch edit`: delete rows, or write
    other prompts.

    Example: strmatch plan --output runs/first
    """
    from jobs import commands

    commands.phase("plan", output, set or [], anew=replan)


@app.command()
@one_line_errors
def edit(output: Output, set: Assign = None) -> None:
    """Only make the planned edits: OUTPUT/edits. Settings are those of the run.

    Example: strmatch edit --output runs/first --set execution.editors=2
    """
    from jobs import commands

    commands.phase("edit", output, set or [])


@app.command()
@one_line_errors
def publish(output: Output, set: Assign = None) -> None:
    """Only write the dataset and the report: OUTPUT/dataset, OUTPUT/report.

    Example: strmatch publish --output runs/first
    """
    from jobs import commands

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
    """Print what failed in a run, by stage and reason.

    Example: strmatch failures runs/first --type Deadline --manifest slow.jsonl
    """
    from jobs import failures as job

    job.show(output, type or [], manifest, set or [])


@app.command()
@one_line_errors
def retry(output: RunFolder, type: Types = None, set: Assign = None) -> None:
    """Do again what failed in a run, and publish. Settings are those of the run.

    Example: strmatch retry runs/first --type WorkerDied --set execution.attempts=5
    """
    from jobs import failures as job

    job.retry(output, type or [], set or [])


@app.command()
@one_line_errors
def demo(output: Annotated[Path, typer.Option(help="Folder of the demo.")] = Path("demo")) -> None:
    """Render a few clips, take one real one, edit them all, and show a page of before and after.

    Example: strmatch demo --output demo
    """
    from jobs import demo as job

    job.demo(output)


@app.command()
@one_line_errors
def generate(
    prompt: Annotated[str, typer.Argument(help="What the clip shall show.")],
    output: Annotated[Path, typer.Option(help="The video to write, .mp4.")],
    preset: Preset = "miniature",
    weights: Weights = None,
    frames: Annotated[int | None, typer.Option(min=1, help="Default: the preset's.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Default: the preset's.")] = None,
    guidance_scale: Annotated[float | None, typer.Option(help="Default: the preset's.")] = None,
    seed: Annotated[int, typer.Option(help="Another seed, another clip.")] = 0,
) -> None:
    """Make a clip from a prompt alone, to see what the backbone knows.

    Example: strmatch generate "a red circle moving right over bricks" --output clip.mp4
    """
    from jobs import generate as job

    job.generate(prompt, output, preset, weights, frames, steps, guidance_scale, seed)


@app.command()
@one_line_errors
def evaluate(
    suite: Annotated[
        str,
        typer.Option(help="miniature: the embedded model. annotators: masks, captions, targets."),
    ],
    clips: Annotated[int, typer.Option(min=1, help="Clips of each part.")] = 60,
    seed: Annotated[int, typer.Option(min=0, help="Which clips.")] = 0,
    split: Annotated[
        Literal["dev", "test"], typer.Option(help="dev is what choices are made on.")
    ] = "test",
    weights: Weights = None,
    json: Annotated[Path | None, typer.Option(help="Write all figures to this file.")] = None,
    output: Annotated[
        Path | None, typer.Option(help="Write every judged clip and its truth to this folder.")
    ] = None,
) -> None:
    """Measure generation, reconstruction and editing, or annotation, against exact truth.

    Example: strmatch evaluate --suite miniature --clips 60 --seed 1 --json figures.json
    """
    from jobs import evaluate as job

    job.evaluate(suite, clips, seed, split, weights, json, output)


@app.command()
@one_line_errors
def study(
    name: Annotated[str, typer.Argument(help="guidance, factors, lambdas or multiples.")],
    output: Annotated[Path, typer.Option(help="Folder for NAME.md, NAME.json and NAME.svg.")],
    clips: Annotated[int, typer.Option(min=1, help="Edits behind every row.")] = 30,
    seed: Annotated[int, typer.Option(min=0, help="Which edits.")] = 0,
    split: Annotated[
        Literal["dev", "test"], typer.Option(help="dev is what choices are made on.")
    ] = "dev",
    weights: Weights = None,
) -> None:
    """Measure one of the choices that the paper leaves open, on the embedded model.

    Example: strmatch study factors --clips 30 --output runs/study
    """
    from jobs import study as job

    job.study(name, clips, seed, split, weights, output)


@app.command()
@one_line_errors
def bench(
    models: Annotated[
        str, typer.Option(help="miniature, lavie-narrow; lavie on a GPU. Commas between them.")
    ] = "miniature,lavie-narrow",
    steps: Annotated[int, typer.Option(min=1, help="Steps of every edit.")] = 2,
    targets: Annotated[str, typer.Option(help="Numbers of targets of one clip.")] = "1,2,4,8",
    repeats: Annotated[int, typer.Option(min=1, help="Runs of each form, in turn.")] = 1,
    threads: Annotated[int | None, typer.Option(min=1, help="Default: one a core.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write all figures to this file.")] = None,
) -> None:
    """Measure what an edit costs beside Algorithm 1 as it is written: seconds and memory.

    Example: strmatch bench --models miniature --steps 5 --repeats 3 --json bench.json
    """
    from jobs import bench as job

    counts = [int(count) for count in targets.split(",")]
    job.bench(models.split(","), steps, counts, repeats, threads, json)


@app.command("train-miniature")
@one_line_errors
def train_miniature(
    output: Annotated[Path, typer.Option(help="Folder of checkpoints and weights.")],
    recipe: Annotated[str, typer.Option(help="cpu, shipped, or a YAML file like them.")] = "cpu",
    weights: Annotated[
        str | None,
        typer.Option(help="Folder or fsspec URI of a model to go on from, or miniature."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes on the CPU; default: one a core.")
    ] = None,
    clips: Annotated[int, typer.Option(min=1, help="Clips to evaluate at the end.")] = 60,
) -> None:
    """Train the embedded models on rendered clips: hours on two cores, minutes on a GPU.

    The same command goes on where an earlier one was stopped. OUTPUT/weights can be given to
    every command as --weights.

    Example: strmatch train-miniature --recipe cpu --output runs/miniature
    """
    from jobs import train_miniature as job

    job.train_miniature(recipe, output, weights, workers, clips)


@config_app.command("show")
@one_line_errors
def show(preset: Preset = "miniature", config: ConfigFile = None, set: Assign = None) -> None:
    """Print the resolved configuration, every field explained; usable as a --config file.

    Example: strmatch config show --preset lavie --set edit.lam=0.005 > lavie.yaml
    """
    typer.echo(to_yaml(load_config(preset, config, set or [])), nl=False)


@weights_app.command("fetch")
@one_line_errors
def fetch_weights(
    model: Annotated[str, typer.Argument(help="lavie, zeroscope or animatediff.")],
    to: Annotated[str, typer.Option(help="Folder or fsspec URI, empty.")],
    checkpoint: Annotated[
        str | None,
        typer.Option(
            help="Its published file or folder: a path, an fsspec URI or a hub id, id@commit. "
            "Default: from the hub."
        ),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            help="Likewise, the Stable Diffusion that it builds on: 1.4 for lavie, 1.5 for "
            "animatediff. Default: from the hub."
        ),
    ] = None,
) -> None:
    """Convert published weights once to a folder of safetensors that --weights takes.

    No pickle is executed, and a file that lacks a tensor or has another is refused. Give the same
    command again if it was interrupted: a folder left half-written is taken by nobody else.

    Example: strmatch weights fetch lavie --to s3://bucket/models/lavie
    """
    from jobs import weights as job

    job.fetch(model, to, checkpoint, base)


if __name__ == "__main__":
    app()
