"""Commands about the model: what it draws, how good and how fast it is, how it came about."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from jobs.cli.options import Preset, Weights, one_line_errors
from pipelines.errors import RunError

app = typer.Typer()
weights_app = typer.Typer(
    help="Get published weights.\n\n"
    "Example: strmatch weights fetch --preset lavie --to s3://bucket/models",
    no_args_is_help=True,
)
app.add_typer(weights_app, name="weights")


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
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another clip.")] = 0,
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
        typer.Option(
            help="miniature: the embedded model. long: edits of clips longer than a window. "
            "objects: edits of one and of all objects of a clip. "
            "annotators: masks, captions, targets. paper: the paper's comparisons of editors."
        ),
    ],
    clips: Annotated[int, typer.Option(min=1, help="Clips of each part.")] = 60,
    seed: Annotated[int, typer.Option(min=0, help="Which clips.")] = 0,
    split: Annotated[
        Literal["dev", "test"], typer.Option(help="dev is what choices are made on.")
    ] = "test",
    weights: Weights = None,
    json: Annotated[Path | None, typer.Option(help="Write all figures to this file.")] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Write every judged clip and its truth to this folder. Of the suite paper: all "
            "results; the same command goes on from there."
        ),
    ] = None,
) -> None:
    """Measure generation, reconstruction and editing, or annotation, against exact truth.

    Example: strmatch evaluate --suite miniature --clips 60 --seed 1 --json figures.json

    Example: strmatch evaluate --suite long --clips 24 --json long.json

    Example: strmatch evaluate --suite objects --clips 40 --json objects.json

    Example: strmatch evaluate --suite annotators --weights runs/sam2/weights

    Example: strmatch evaluate --suite paper --clips 54 --output runs/paper
    """
    from jobs.evaluation import command as job

    job.evaluate(suite, clips, seed, split, weights, json, output)


@app.command()
@one_line_errors
def study(
    name: Annotated[
        str,
        typer.Argument(
            help="guidance, factors, lambdas, multiples, cheaper, fast, regions, joint or verdict."
        ),
    ],
    output: Annotated[Path, typer.Option(help="Folder for NAME.md, NAME.json and NAME.svg.")],
    clips: Annotated[int, typer.Option(min=1, help="Edits behind every row.")] = 30,
    seed: Annotated[int, typer.Option(min=0, help="Which edits.")] = 0,
    split: Annotated[
        Literal["dev", "test"], typer.Option(help="dev is what choices are made on.")
    ] = "dev",
    weights: Weights = None,
) -> None:
    """Measure one of the choices that the paper leaves open, or the verdict's limits.

    Example: strmatch study factors --clips 30 --output runs/study
    """
    from jobs.evaluation.studies import command as job

    job.study(name, clips, seed, split, weights, output)


@app.command()
@one_line_errors
def bench(
    models: Annotated[
        str,
        typer.Option(
            help="miniature, lavie-narrow; lavie, zeroscope on a GPU; wan, wan-14b, cogvideox, "
            "cogvideox-5b projected by shapes. Commas between them."
        ),
    ] = "miniature,lavie-narrow",
    steps: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Steps of every edit. Default: 10 of the miniature, 2 of lavie-narrow, else 50.",
        ),
    ] = None,
    targets: Annotated[str, typer.Option(help="Numbers of targets of one clip.")] = "1,2,4,8",
    repeats: Annotated[int, typer.Option(min=1, help="Runs of each form, in turn.")] = 1,
    threads: Annotated[int | None, typer.Option(min=1, help="Default: one a core.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write all figures to this file.")] = None,
) -> None:
    """Measure what an edit costs beside Algorithm 1 as it is written: seconds and memory.

    Example: strmatch bench --models miniature --repeats 3 --json bench.json

    Example: strmatch bench --models wan,cogvideox
    """
    from jobs.benchmark import command as job

    counts = [int(count) for count in targets.split(",")]
    job.bench(models.split(","), steps, counts, repeats, threads, json)


@app.command("train-miniature")
@one_line_errors
def train_miniature(
    output: Annotated[Path, typer.Option(help="Folder of checkpoints and weights.")],
    recipe: Annotated[
        str,
        typer.Option(
            help="cpu, several (its phases of two and three figures), joint (a Wan of the small "
            "world), segmenter (a SAM2 of the small world), or a YAML file."
        ),
    ] = "cpu",
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

    Example: strmatch train-miniature --recipe several --weights miniature --output runs/several

    Example: strmatch train-miniature --recipe joint --weights miniature --output runs/joint

    Example: strmatch train-miniature --recipe segmenter --weights miniature --output runs/sam2
    """
    from jobs.training import command as job

    job.train_miniature(recipe, output, weights, workers, clips)


@weights_app.command("fetch")
@one_line_errors
def fetch_weights(
    to: Annotated[str, typer.Option(help="Folder or fsspec URI to write, empty.")],
    model: Annotated[
        str | None,
        typer.Argument(help="A backbone alone: lavie, zeroscope, animatediff, wan or cogvideox."),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(help="Every model of this preset: backbone, SAM2, detector, captioner, CLIP."),
    ] = None,
    checkpoint: Annotated[
        str | None,
        typer.Option(
            help="Published file or folder of the model: a path, an fsspec URI or a hub id, "
            "id@commit. Default: from the hub."
        ),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            help="Stable Diffusion that the model builds on: 1.4 for lavie, 1.5 for animatediff. "
            "Given as --checkpoint. Default: from the hub."
        ),
    ] = None,
) -> None:
    """Fetch published models to a folder: those of a preset, or one backbone as safetensors.

    `strmatch run --preset` fetches what it needs by itself. This command is for clusters that do
    not reach the hub, and for checkpoints of your own. No pickle is executed. A file with a missing
    or an unknown tensor is refused.

    All loaders reject an incomplete folder. Running the same command again completes the folder.

    Example: strmatch weights fetch --preset lavie --to s3://bucket/models

    Example: strmatch weights fetch lavie --to models/mine --checkpoint mine/lavie_base.pt
    """
    if (model is None) == (preset is None):
        raise RunError("name either a model or --preset")
    from jobs import weights as job

    if preset is not None:
        if checkpoint or base:
            raise RunError("--checkpoint and --base belong to a model, not to --preset")
        job.fetch_preset(preset, to)
    else:
        job.fetch_model(str(model), to, checkpoint, base)
