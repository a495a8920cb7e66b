"""Studies of the choices that the paper leaves open, one factor at a time.

The same λ gives steps of different size for different forms of the loss. Forms are therefore
compared at the λ whose relative step, λ‖∇L‖/‖z_t‖ averaged over the timesteps, equals the preset's.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

from jobs.evaluation.figures import mean, share
from jobs.evaluation.miniature.cases import EditCase
from jobs.evaluation.miniature.suite import edit_figures
from jobs.evaluation.pool import Pool, Task
from strmatch.presets import load_preset

Row = tuple[str, dict[str, Any]]
"""The label of a variant, and its figures."""
Study = Callable[[Pool, list[EditCase]], Iterator[Row]]
"""Makes the rows of a study from the edits of cases."""

GUIDANCE = (1.5, 2.0, 3.0, 4.0, 5.0, 7.5)
FACTORS: dict[str, dict[str, Any]] = {
    "preset": {},
    "mean, not sum": {"reduction": "mean"},
    "a cosine a layer": {"cosine": "layer"},
    "heads paired": {"heads": "paired"},
    "radius 2": {"radius": 2},
    "radius 15": {"radius": 15},
    "both halves": {"scored_halves": "both"},
    "label of the next level": {"inversion_label": "next"},
    "nothing noised": {"noised_until": 0},
    "8×8 only": {"scored_levels": (1,)},
    "4×4 only": {"scored_levels": (2,)},
    "concatenated maps": {"objective": "concatenated_maps"},
}
CHEAPER: dict[str, dict[str, Any]] = {
    "preset": {},
    "half matched": {"matched_share": 0.5},
    "a quarter matched": {"matched_share": 0.25},
    "14 steps": {"num_inference_steps": 14},
    "10 steps": {"num_inference_steps": 10},
    "14 steps, half matched": {"num_inference_steps": 14, "matched_share": 0.5},
    "12 steps, half matched": {"num_inference_steps": 12, "matched_share": 0.5},
    "12 steps, half matched, λ 0.6": {
        "num_inference_steps": 12,
        "matched_share": 0.5,
        "lam": 0.6,
    },
}
NEAR_PX = 3.0
"""Largest centroid error, in pixels, of a subject that follows its path."""
PAPER_LAMBDAS = (0.0, 0.005, 0.01, 0.015, 0.05)
PAPER_LAMBDA = 0.01
"""The paper's default λ."""
PRESET_LAMBDA = load_preset("miniature").edit.lam
CALIBRATION_CLIPS = 6
CALIBRATION_ROUNDS = 3


def study_guidance(pool: Pool, cases: list[EditCase]) -> Iterator[Row]:
    """Varies the guidance scale at λ = 0. rms_ratio compares latents with the source's."""
    for scale in GUIDANCE:
        changes = {"lam": 0.0, "guidance_scale": scale}
        watched = watch(pool, cases, changes, "rms_ratio")
        yield f"{scale:g}", {"rms_ratio": watched} | _figures(pool, cases, changes)


def study_factors(pool: Pool, cases: list[EditCase]) -> Iterator[Row]:
    """Varies one factor of the preset at a time."""
    step = watch(pool, cases, {}, "relative_step")
    for name, changes in FACTORS.items():
        lam = matched_lambda(pool, cases, changes, step) if changes else PRESET_LAMBDA
        yield name, {"lam": lam} | _figures(pool, cases, changes | {"lam": lam})


def study_lambdas(pool: Pool, cases: list[EditCase]) -> Iterator[Row]:
    """Uses the paper's values of λ."""
    for lam in PAPER_LAMBDAS:
        yield f"{lam:g}", _figures(pool, cases, {"lam": lam})


def study_multiples(pool: Pool, cases: list[EditCase]) -> Iterator[Row]:
    """Scales the preset's λ by the ratios of the paper's values to its default."""
    for lam in PAPER_LAMBDAS:
        multiple = lam / PAPER_LAMBDA
        yield f"× {multiple:g}", _figures(pool, cases, {"lam": multiple * PRESET_LAMBDA})


def study_cheaper(pool: Pool, cases: list[EditCase]) -> Iterator[Row]:
    """Compares inexact settings that take less time."""
    for name, changes in CHEAPER.items():
        yield name, _figures(pool, cases, changes)


def study_fast(pool: Pool, cases: list[EditCase]) -> Iterator[Row]:
    """Compares the fast preset with the exact one, also by means and the share of lost subjects."""
    for name in ("miniature", "miniature-fast"):
        rows = _rows(pool, cases, asdict(load_preset(name).edit))
        overlaps = mean([row["counterfactual_iou"] for row in rows])
        near = share([row["centroid_px"] <= NEAR_PX for row in rows])
        yield name, edit_figures(rows) | {"mean_iou": overlaps, "near_its_path": near}


STUDIES: dict[str, Study] = {
    "guidance": study_guidance,
    "factors": study_factors,
    "lambdas": study_lambdas,
    "multiples": study_multiples,
    "cheaper": study_cheaper,
    "fast": study_fast,
}
FACTORISED = ("factors", "multiples", "fast")
"""Studies of the presets of the factorised model."""


def matched_lambda(
    pool: Pool,
    cases: list[EditCase],
    changes: dict[str, Any],
    step: float,
    lam: float = PRESET_LAMBDA,
) -> float:
    """Returns the λ whose mean relative step is `step`, by fixed-point iteration from `lam`."""
    for _ in range(CALIBRATION_ROUNDS):
        lam *= step / watch(pool, cases, changes | {"lam": lam}, "relative_step")
    return lam


def watch(pool: Pool, cases: list[EditCase], changes: dict[str, Any], what: str) -> float:
    """Returns the mean of a measure of `MiniatureExaminer.watch` over the first cases."""
    tasks: list[Task] = [("watch", (case, changes)) for case in cases[:CALIBRATION_CLIPS]]
    return float(np.mean([watched[what] for watched in pool.run(tasks)]))


def _figures(pool: Pool, cases: list[EditCase], changes: dict[str, Any]) -> dict[str, Any]:
    return dict(edit_figures(_rows(pool, cases, changes)))


def _rows(pool: Pool, cases: list[EditCase], changes: dict[str, Any]) -> list[dict[str, Any]]:
    tasks: list[Task] = [("edits", (case, i, {"edit": changes})) for i, case in enumerate(cases)]
    return [clip.row for clips in pool.run(tasks) for clip in clips]
