"""Clips of two figures in the suite `annotators`: both named, masked and changed."""

from itertools import combinations
from typing import Literal

import numpy as np
import torch

from jobs.evaluation.chain import Chain
from jobs.evaluation.figures import Figure, share
from pipelines.errors import Rejected
from pipelines.media import masks
from pipelines.rows import Row
from pipelines.stages.caption import name_subject
from strmatch.miniature.scenes import Scene
from strmatch.miniature.several import distance, sample_several
from strmatch.miniature.splits import Split

Several = Literal["two objects", "two objects, crossing"]
"""Two figures that stay apart, and two of which one hides the other in some frames."""
LEAST_OVERLAP = 0.85
"""Minimum intersection over union of a right mask."""


def scene_of_several(kind: Several, seed: int, split: Split) -> Scene:
    """Returns the first scene of a kind that a generator of this seed draws."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        scene = sample_several(generator, split)
        if hides(scene) == (kind == "two objects, crossing"):
            return scene


def hides(scene: Scene) -> bool:
    """Whether a figure may hide another one in some frame of a clip of 16 frames."""
    pairs = combinations(scene.sprites, 2)
    return any(distance(*pair, frame / 15) < 0 for pair in pairs for frame in range(16))


def judge_several(chain: Chain, clip: Row, scene: Scene, exact: np.ndarray) -> Row:
    """Annotate a clip, and judge whether its figures are named, masked and changed in every target.

    Args:
        chain: annotates several objects.
        clip: source_video and clip_id.
        scene: what the clip shows.
        exact: bool (figures, f, H, W), the visible pixels of each figure.
    """
    row: Row = dict.fromkeys(("caption", "subject", "mask", "targets")) | clip
    try:
        row |= chain.caption(row)
        row |= name_subject(row)
        row |= chain.track(row)
    except Rejected as error:
        return {"named": False, "masked": False, "changed": [False], "said": str(error)}
    found = {each["words"]: masks.decode(each["mask"]) for each in row.get("objects") or ()}
    wanted = {
        f"{sprite.colour} {sprite.shape}": mask
        for sprite, mask in zip(scene.sprites, exact, strict=True)
    }
    named = found.keys() == wanted.keys()
    overlaps = [masks.overlap(found[words], mask) for words, mask in wanted.items() if named]
    targets = chain.target(row)["targets"]
    return {
        "named": named,
        "masked": named and min(overlaps) >= LEAST_OVERLAP,
        "changed": [len(target["edits"] or ()) == len(wanted) for target in targets],
        "said": row["source_prompt"],
    }


def figures_of_several(rows: list[Row]) -> dict[str, Figure]:
    """Returns the figures of clips with a `kind` and the scores of `judge_several`."""
    crossing = [row for row in rows if row["kind"] == "two objects, crossing"]
    return {
        "objects_named": share([row["named"] for row in rows]),
        "objects_masked": share([row["masked"] for row in rows]),
        "crossing_objects_masked": share([row["masked"] for row in crossing]),
        "objects_changed": share([changed for row in rows for changed in row["changed"]]),
    }
