"""The model card: what was trained, how, for how long, and how good it is."""

import json
import platform
from pathlib import Path
from typing import Any

import torch

from jobs.evaluation.report import markdown
from jobs.training.recipe import Recipe
from pipelines.version import PACKAGE_VERSION

CARD = """\
---
license: apache-2.0
library_name: diffusers
pipeline_tag: text-to-video
---
# The miniature: a text-to-video model of a small world

LaVie's architecture (a 2D UNet with temporal attention), an AutoencoderKL and a CLIP, small enough
for a laptop's processor. They know one thing: a flat coloured figure that moves over a pattern,
64×64 pixels, and say so in captions like "a red circle moving right over bricks". Made for testing,
demonstrating and measuring video editing; good for nothing else.

## Data
Clips rendered on the fly by `strmatch.miniature.world` from the training list of
`strmatch.miniature.splits`. No picture, video or text of anybody's is in it. The combinations of
the dev and test lists were never trained on.

## Training
Recipe `{recipe}` (seed {seed}, {prediction}), `strmatch train-miniature`, package {version},
torch {torch}, {machine}.

{phases}

## Figures
On {clips} clips of the test list, seed {evaluation_seed}, at the preset's defaults, with 95 %
intervals.

{figures}

## Licence
Apache 2.0, as the code.
"""


def write_card(
    weights: Path, name: str, recipe: Recipe, folder: Path, results: dict[str, Any]
) -> None:
    """Write `weights`/README.md from the training's loss curves and the suite's figures."""
    phases = [_phase(path) for path in sorted(folder.glob("*/loss.jsonl"), key=_begun)]
    total = sum(float(row[-1]) for row in phases)
    table = ["| phase | steps | last loss | minutes |", "|---|---|---|---|"]
    table += [f"| {phase} | {steps} | {loss:.4f} | {m:.0f} |" for phase, steps, loss, m in phases]
    table += [f"| all | | | {total:.0f} |"]
    card = CARD.format(
        recipe=name,
        seed=recipe.seed,
        prediction=recipe.prediction_type,
        version=PACKAGE_VERSION,
        torch=torch.__version__,
        machine=_machine(),
        phases="\n".join(table),
        clips=results["clips"],
        evaluation_seed=results["seed"],
        figures=markdown(results),
    )
    (weights / "README.md").write_text(card, "utf-8")


def _phase(path: Path) -> tuple[str, int, float, float]:
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    minutes = sum(row["seconds"] for row in rows) / 60
    return path.parent.name, rows[-1]["step"], rows[-1]["loss"], minutes


def _begun(path: Path) -> float:
    return path.stat().st_mtime


def _machine() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{torch.cpu.get_capabilities()['cpu_name']}, {platform.machine()}"
