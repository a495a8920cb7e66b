"""The study `joint`: what is taken from joint attention, one factor at a time.

The factors are compared at equal relative step, see `jobs.evaluation.studies.studies`. The λ of a
variant, and the edits of a clip by all variants, are committed as soon as they are made, so that a
repeated study goes on.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from jobs.evaluation.figures import Figure, paired_difference
from jobs.evaluation.miniature.cases import EditCase
from jobs.evaluation.miniature.suite import edit_figures
from jobs.evaluation.pool import Pool, Task
from jobs.evaluation.studies.studies import Row, matched_lambda, watch
from pipelines.ids import content_id
from pipelines.storage import Storage
from strmatch.miniature.joint import BLOCKS
from strmatch.miniature.splits import Split
from strmatch.presets import load_preset

PRESET = load_preset("miniature-joint")
DEFAULT: dict[str, Any] = {
    "slices": "renormalised",
    "heads": "mean",
    "scored_levels": tuple(range(BLOCKS // 3, 2 * BLOCKS // 3)),
    "temporal_neighbourhood": 1,
    "radius": 1,
}
FACTORS: dict[str, dict[str, Any]] = {
    "default": {},
    "joint slices": {"slices": "joint"},
    "direct relevance": {"slices": "direct"},
    "all heads": {"heads": "paired"},
    "separated heads": {"heads": "separated"},
    "first third of the blocks": {"scored_levels": tuple(range(BLOCKS // 3))},
    "last third of the blocks": {"scored_levels": tuple(range(2 * BLOCKS // 3, BLOCKS))},
    "all blocks": {"scored_levels": tuple(range(BLOCKS))},
    "T over 3×3 positions": {"temporal_neighbourhood": 3},
    "radius 2": {"radius": 2},
    "concatenated maps": {"objective": "concatenated_maps"},
}
"""Changes of `DEFAULT`."""
PLAIN = "λ = 0"
COMPARED = ("fidelity", "counterfactual_psnr", "counterfactual_iou", "centroid_px")
"""Measures whose difference to the default on the same clips is stated."""

console = Console()


@dataclass(frozen=True)
class Kept:
    """The committed results of a study in the folder joint/ of its output."""

    storage: Storage
    revision: str
    """Revision of the weights."""
    split: Split
    seed: int

    def name(self, **of: Any) -> str:
        """File of the result of these settings."""
        drawn = {"revision": self.revision, "split": self.split, "seed": self.seed}
        return f"joint/{content_id(edit=asdict(PRESET.edit), **drawn, **of)}.json"

    def has(self, name: str) -> bool:
        """Whether the result is committed."""
        return self.storage.exists(name)

    def read(self, name: str) -> Any:
        """The committed result."""
        return json.loads(self.storage.read(name))

    def commit(self, name: str, result: Any) -> None:
        """Commit a result of plain values. Infinite numbers are allowed."""
        self.storage.write(name, json.dumps(result).encode())

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """The committed result, which is made and committed first if there is none."""
        if not self.has(name):
            self.commit(name, make())
        return self.read(name)


def study_joint(pool: Pool, cases: list[EditCase], kept: Kept) -> Iterator[Row]:
    """Varies one factor of `DEFAULT` at a time, and compares all with it and with λ = 0."""
    variants = _variants(pool, cases, kept)
    rows = _edits(pool, cases, variants, kept)
    base = rows["default"]
    for name, changes in variants.items():
        figures = edit_figures(rows[name]) | _differences(rows[name], base)
        yield name, {"lam": changes["lam"]} | figures


def _variants(pool: Pool, cases: list[EditCase], kept: Kept) -> dict[str, dict[str, Any]]:
    """The settings of every variant, with the λ at which its step is that of `DEFAULT`."""
    lam = PRESET.edit.lam
    given = {"lam": lam, "clips": len(cases), "default": DEFAULT}
    step = kept.once(
        kept.name(what="step", **given),
        lambda: watch(pool, cases, DEFAULT | {"lam": lam}, "relative_step"),
    )
    found = {}
    for name, factor in track(FACTORS.items(), "λ of equal step", len(FACTORS), console=console):
        changes = DEFAULT | factor
        file = kept.name(what="lam", changes=changes, **given)
        equal = partial(matched_lambda, pool, cases, changes, step, lam)
        found[name] = changes | {"lam": kept.once(file, equal) if factor else lam}
    return found | {PLAIN: DEFAULT | {"lam": 0.0}}


def _edits(
    pool: Pool, cases: list[EditCase], variants: dict[str, dict[str, Any]], kept: Kept
) -> dict[str, list[dict[str, Any]]]:
    """The measures of the edits by every variant, in the order of the cases."""
    names = [kept.name(what="edits", index=i, variants=variants) for i in range(len(cases))]
    missing = [index for index, name in enumerate(names) if not kept.has(name)]
    tasks: list[Task] = [("edits", (cases[index], index, variants)) for index in missing]
    done = track(pool.run(tasks), "clips", len(tasks), console=console)
    for index, clips in zip(missing, done, strict=True):
        rows = [clip.row | {"fidelity": _fidelity(clip.row)} for clip in clips]
        kept.commit(names[index], rows)
    by_case = [kept.read(name) for name in names]
    return {name: [rows[i] for rows in by_case] for i, name in enumerate(variants)}


def _fidelity(row: dict[str, Any]) -> float:
    """The share of requested attributes that are met."""
    asked = [row[name] for name in ("asked_colour", "asked_shape") if row[name] is not None]
    return float(np.mean(asked))


def _differences(rows: list[dict[str, Any]], base: list[dict[str, Any]]) -> dict[str, Figure]:
    return {
        f"difference_{metric}": paired_difference(
            [row[metric] for row in rows], [row[metric] for row in base]
        )
        for metric in COMPARED
    }
