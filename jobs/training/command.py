"""The job behind `strmatch train-miniature`."""

import json
import os
import shutil
from functools import partial
from pathlib import Path

from jobs.evaluation.command import evaluate
from jobs.evaluation.report import Results
from jobs.training.card import write_card, write_joint_card, write_segmenter_card
from jobs.training.recipe import Recipe, load_recipe
from jobs.training.train import START, train, train_joint, train_segmenter
from jobs.training.workers import run_workers
from pipelines.errors import RunError
from strmatch import WeightsError
from strmatch.backbones.folder import weights_folder

report = partial(print, flush=True)


def train_miniature(
    recipe: str, folder: Path, start: str | None, workers: int | None, clips: int
) -> None:
    """Train, evaluate on test clips, and write the model card, the README of the weights.

    A model with joint attention is not evaluated.

    Args:
        recipe: name of a packaged recipe, or path of a YAML file.
        folder: receives checkpoints, loss curves, weights and figures. A repeated call resumes.
        start: model to start from, for recipes without an autoencoder phase.
        workers: number of processes. None: one per core.
        clips: number of test clips of the evaluation.

    Raises:
        RunError: the recipe, the start or the folder's checkpoints do not fit.
    """
    processes, weights = workers or os.cpu_count() or 1, folder / "weights"
    name = Path(recipe).stem

    def measure(suite: str) -> Results:
        return evaluate(suite, clips, 0, "test", str(weights), folder / f"{suite}.json", None)

    try:
        chosen = load_recipe(recipe)
        _keep_start(folder, start, chosen, recipe)
        if chosen.diffusion:
            run_workers(processes, train, chosen, folder, report)
        if chosen.joint:
            run_workers(processes, train_joint, chosen, folder, report)
        if chosen.segmenter:
            run_workers(processes, train_segmenter, chosen, folder, report)
    except (ValueError, WeightsError) as error:
        raise RunError(str(error)) from error
    if chosen.diffusion:
        write_card(weights, name, chosen, folder, measure("miniature"))
    if chosen.joint:
        write_joint_card(weights, name, chosen, folder)
    if chosen.segmenter:
        write_segmenter_card(weights, name, chosen, folder, measure("annotators"))
    print(f"  weights: {weights}")


def _keep_start(folder: Path, start: str | None, recipe: Recipe, name: str) -> None:
    """Copy the model to start from, because the training may overwrite its folder.

    Parts that the recipe does not train are copied to the weights unchanged, except for a recipe
    of joint attention, which takes its own choice of parts.
    """
    kept = folder / START
    if recipe.autoencoder and start:
        raise ValueError(f"recipe {name} has an autoencoder of its own: it takes no --weights")
    if recipe.autoencoder or kept.is_dir():
        return
    if not start:
        raise ValueError(f"recipe {name} goes on from a model: name it by --weights")
    scheduler = weights_folder(start) / "scheduler" / "scheduler_config.json"
    predicts = json.loads(scheduler.read_text("utf-8"))["prediction_type"]
    if recipe.diffusion and predicts != recipe.prediction_type:
        raise ValueError(
            f"recipe {name} trains {recipe.prediction_type}, the model {start} was trained on "
            f"{predicts}: a training cannot change it"
        )
    partial_copy = kept.with_suffix(".partial")
    shutil.rmtree(partial_copy, ignore_errors=True)
    shutil.copytree(weights_folder(start), partial_copy)
    partial_copy.rename(kept)
    if not recipe.joint:
        shutil.copytree(kept, folder / "weights", dirs_exist_ok=True)
