"""The job behind `strmatch train-miniature`."""

import os
from functools import partial
from pathlib import Path

from jobs.evaluate import evaluate
from jobs.training.card import write_card
from jobs.training.recipe import load_recipe
from jobs.training.train import train
from jobs.training.workers import run_workers
from pipelines.errors import RunError

report = partial(print, flush=True)


def train_miniature(recipe: str, folder: Path, workers: int | None, clips: int) -> None:
    """Train, evaluate on test clips, and describe it all in the weights' README."""
    try:
        chosen = load_recipe(recipe)
        run_workers(workers or os.cpu_count() or 1, train, chosen, folder, report)
    except ValueError as error:
        raise RunError(str(error)) from error
    weights = folder / "weights"
    figures = evaluate("miniature", clips, 0, "test", str(weights), folder / "figures.json", None)
    write_card(weights, recipe, chosen, folder, figures)
    print(f"  weights: {weights}")
