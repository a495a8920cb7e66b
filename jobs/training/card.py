"""The model card: data, training phases and evaluation figures of a trained model."""

import json
from pathlib import Path
from typing import Any

from jobs.evaluation.annotators import trackers
from jobs.evaluation.report import markdown
from jobs.evaluation.tables import TextTable
from jobs.training.origin import read_origin
from jobs.training.recipe import Recipe
from jobs.training.train import JOINT, SEGMENTER, START

HISTORY = "training.json"
MODEL = ("autoencoder", "diffusion", "decoder", "image-tower")
"""Prefixes of the names of the phases of the factorised model."""

CARD = """\
---
license: apache-2.0
library_name: diffusers
pipeline_tag: text-to-video
---
# The miniature: a text-to-video model of a small world

LaVie's architecture (a 2D UNet with temporal attention), an AutoencoderKL and a CLIP, small enough
for a laptop's processor. They know one thing: flat coloured figures that move over a pattern,
64×64 pixels, and say so in captions like "a red circle moving right over bricks". Made for testing,
demonstrating and measuring video editing; good for nothing else.

## Data
Clips rendered on the fly by `strmatch.miniature.world` from the training list of
`strmatch.miniature.splits`. No picture, video or text of anybody's is in it. The combinations of
the dev and test lists were never trained on.

## Training
`strmatch train-miniature`, {prediction}, phase after phase:

{phases}

## Figures
On {clips} clips of the test list, seed {evaluation_seed}, at the preset's defaults, with 95 %
intervals. `generation_of_two` counts clips in which both figures are right.

{figures}

## Licence
Apache 2.0, as the code.
"""

JOINT_CARD = """\
---
license: apache-2.0
library_name: diffusers
pipeline_tag: text-to-video
---
# The miniature with joint attention: a text-to-video model of a small world

Wan's architecture (a diffusion transformer whose tokens of all frames attend to each other), small
enough for a laptop's processor, with the autoencoder of the factorised miniature, which encodes
frame by frame. It knows flat coloured figures that move over a pattern, 64×64 pixels. Made for
testing, demonstrating and measuring video editing; good for nothing else.

## Data
As the factorised miniature's: clips rendered on the fly from the training list. No picture, video
or text of anybody's is in it.

## Training
`strmatch train-miniature`, flow matching (velocity ε - x), phase after phase. The text tower starts
from the factorised miniature's and is trained along:

{phases}

## Licence
Apache 2.0, as the code.
"""

SEGMENTER_CARD = """\
---
license: apache-2.0
library_name: transformers
pipeline_tag: mask-generation
---
# The miniature's SAM2: masks of a small world

SAM2's architecture, small enough for a laptop's processor. A box on one frame of 64×64 pixels shows
it a flat coloured figure over a pattern, and it follows that through the other frames. Made for
testing and demonstrating video editing; good for nothing else.

## Data
As the [miniature's](../README.md): clips rendered on the fly from the training list, with their
exact masks. No picture of anybody's is in it.

## Training
`strmatch train-miniature`, phase after phase, on stretches of 1f, 4f … frames:

{phases}

Its prediction of IoU and its mask prompts are not trained: nothing here asks for them.

## Figures
Mask IoU, and seconds of one core for a clip of 16 frames, of all trackers without a detector. On
{clips} clips of the test list and some of every harder kind, seed {evaluation_seed}.

{figures}

## Licence
Apache 2.0, as the code.
"""


def write_card(
    weights: Path, name: str, recipe: Recipe, folder: Path, results: dict[str, Any]
) -> None:
    """Write `weights`/README.md from the training's loss curves and the suite's figures.

    Phases of earlier recipes are read from the model that this training started from. The whole
    history is written to `weights`/training.json, which the next training reads.
    """
    earlier = folder / START / HISTORY
    history = json.loads(earlier.read_text("utf-8")) if earlier.exists() else []
    history += _trained(folder, name, recipe, *MODEL)
    _keep_history(weights, history)
    card = CARD.format(
        prediction=recipe.prediction_type,
        phases=_phases(history),
        clips=results["clips"],
        evaluation_seed=results["seed"],
        figures=markdown(results),
    )
    (weights / "README.md").write_text(card, "utf-8")


def write_joint_card(weights: Path, name: str, recipe: Recipe, folder: Path) -> None:
    """Write `weights`/README.md and `weights`/training.json of a model with joint attention."""
    history = _trained(folder, name, recipe, JOINT)
    _keep_history(weights, history)
    (weights / "README.md").write_text(JOINT_CARD.format(phases=_phases(history)), "utf-8")


def write_segmenter_card(
    weights: Path, name: str, recipe: Recipe, folder: Path, results: dict[str, Any]
) -> None:
    """Write `weights`/segmenter/README.md. A segmenter is trained by a single recipe."""
    card = SEGMENTER_CARD.format(
        phases=_phases(_trained(folder, name, recipe, SEGMENTER)),
        clips=results["clips"],
        evaluation_seed=results["seed"],
        figures=trackers(results).markdown(),
    )
    (weights / SEGMENTER / "README.md").write_text(card, "utf-8")


def _trained(folder: Path, name: str, recipe: Recipe, *parts: str) -> list[dict[str, Any]]:
    """Returns the phases of this training in order, whose names begin with one of `parts`."""
    made = {"recipe": name, "seed": recipe.seed}
    curves = sorted(folder.glob("*/loss.jsonl"), key=lambda path: path.stat().st_mtime)
    return [
        _phase(path) | made | read_origin(path.parent)
        for path in curves
        if path.parent.name.startswith(parts)
    ]


def _keep_history(weights: Path, history: list[dict[str, Any]]) -> None:
    (weights / HISTORY).write_text(json.dumps(history, indent=1) + "\n", "utf-8")


def _phase(path: Path) -> dict[str, Any]:
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return {
        "phase": path.parent.name,
        "steps": rows[-1]["step"],
        "loss": round(rows[-1]["loss"], 4),
        "minutes": round(sum(row["seconds"] for row in rows) / 60, 1),
    }


def _phases(history: list[dict[str, Any]]) -> str:
    columns = list(history[0])
    rows = [[str(phase[name]) for name in columns] for phase in history]
    total = sum(phase["minutes"] for phase in history)
    return f"{TextTable(columns, rows).markdown()}\n\n{total:.0f} minutes altogether."
