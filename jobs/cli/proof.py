"""The command that measures whether a model that is trained on edits gets better."""

from pathlib import Path
from typing import Annotated

import typer

from jobs.cli.options import one_line_errors
from pipelines.errors import RunError

app = typer.Typer()


@app.command()
@one_line_errors
def prove(
    output: Annotated[
        str,
        typer.Option(
            help="Folder or fsspec URI for edits, trainings, tables and the page. The same command "
            "goes on from there."
        ),
    ],
    quick: Annotated[
        bool, typer.Option("--quick", help="Few clips and seeds: half an hour of two cores.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Which clips of the small world.")] = 0,
    json: Annotated[Path | None, typer.Option(help="Write all figures to this file.")] = None,
    dataset: Annotated[
        str | None,
        typer.Option(
            help="Folder or fsspec URI of a run of your own, in place of the small world."
        ),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(help="Column of --dataset with the label of a clip, or COLUMN.FIELD."),
    ] = None,
    test: Annotated[
        str | None,
        typer.Option(
            help="Labelled clips to test on: a folder with a folder of videos for each class, a "
            "manifest with the column of --label, or the output of another run."
        ),
    ] = None,
    features: Annotated[
        str,
        typer.Option(
            help="small: train a small network. Else a CLIP, an image model or a video encoder, "
            "whose frozen features a linear classifier gets: a folder, an fsspec URI or "
            "owner/name@commit."
        ),
    ] = "small",
    seeds: Annotated[
        int, typer.Option(min=2, help="Trainings with the edits of --dataset, and without.")
    ] = 10,
) -> None:
    """Measure in the small world how much edits help a classifier with a biased training set.

    Labels of the training clips go with a background that has nothing to do with them. Classifiers
    are trained with edits of the clips, with cheaper changes and with exact counterfactuals, and
    tested where the two disagree. Up to five hours of two cores.

    With --dataset, --label and --test, the classifiers are trained with the edits of your run and
    without, and tested on your clips.

    Example: strmatch prove --quick --output runs/prove --json prove.json

    Example: strmatch prove --dataset runs/first --label action --test test/ --output runs/gain
    """
    if dataset is None:
        if label or test or features != "small":
            raise RunError("--label, --test and --features belong to --dataset")
        from jobs.evaluation.proof import command as job

        job.prove(output, seed, quick, json)
        return
    if quick or label is None or test is None:
        raise RunError("--dataset needs --label and --test, and has no --quick")
    from jobs.evaluation.proof.own_data import command as own_job

    own_job.prove_on(dataset, label, test, features, seeds, output, json)
