"""The command that measures whether a model that is trained on edits gets better."""

from pathlib import Path
from typing import Annotated

import typer

from jobs.cli.options import one_line_errors

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
    seed: Annotated[int, typer.Option(min=0, help="Which clips.")] = 0,
    json: Annotated[Path | None, typer.Option(help="Write all figures to this file.")] = None,
) -> None:
    """Measure in the small world how much edits help a classifier with a biased training set.

    Labels of the training clips go with a background that has nothing to do with them. Classifiers
    are trained with edits of the clips, with cheaper changes and with exact counterfactuals, and
    tested where the two disagree. Up to five hours of two cores.

    Example: strmatch prove --quick --output runs/prove --json prove.json
    """
    from jobs.evaluation.proof import command as job

    job.prove(output, seed, quick, json)
