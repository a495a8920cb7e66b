"""Resident memory of one worker that captions and tracks clip after clip, with tiny models.

`python -m tests.scale.memory --help`.
"""

import argparse
import json
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import torch

from pipelines.captioners.transformers_vlm import TransformersVLM
from pipelines.config.loading import load_config
from pipelines.errors import Rejected
from pipelines.trackers.sam2 import SubjectTracker
from pipelines.trackers.segmenter_package import PackageSegmenter
from pipelines.trackers.segmenter_transformers import HFSegmenter
from strmatch.weights.source import Source
from tests.pipelines.captioners.models import qwen
from tests.pipelines.trackers.components import (
    PACKAGE_OVERRIDES,
    save_owlv2,
    save_sam2_package,
    small_sam2,
)

FRAMES, HEIGHT, WIDTH = 4, 64, 96
SETTINGS = ("annotate.detector.threshold=0", "annotate.detector.frames=1")


def annotators(folder: Path) -> dict[str, Callable[[np.ndarray], object]]:
    """A captioner and both trackers with random weights, saved below the folder."""
    qwen(folder / "vlm")
    small_sam2().save_pretrained(folder / "sam2_hf")
    save_sam2_package(folder / "sam2")
    save_owlv2(folder / "detector")
    weights = [f"annotate.{name}.weights={folder / name}" for name in ("vlm", "detector")]
    config = load_config(assignments=[*SETTINGS, *weights])
    segmenters = {
        "sam2_hf": HFSegmenter.load(Source(str(folder / "sam2_hf"))),
        "sam2": PackageSegmenter.load(Source(str(folder / "sam2")), overrides=PACKAGE_OVERRIDES),
    }
    trackers = {name: SubjectTracker(made, config) for name, made in segmenters.items()}
    follow = {name: partial(track, subject="a thing") for name, track in trackers.items()}
    return {"transformers_vlm": TransformersVLM(config), **follow}


def growth(annotator: Callable[[np.ndarray], object], early: int, late: int) -> dict[str, float]:
    """Resident megabytes after two numbers of clips, and the relative growth between them."""
    generator, sizes = np.random.default_rng(0), {}
    for clip in range(1, late + 1):
        shape = (FRAMES, HEIGHT, WIDTH, 3)
        with suppress(Rejected):  # random weights generate no valid caption
            annotator(generator.integers(0, 256, shape, np.uint8))
        if clip in (early, late):
            sizes[clip] = psutil.Process().memory_info().rss / 1e6
    return {
        f"mb_after_{early}": round(sizes[early], 1),
        f"mb_after_{late}": round(sizes[late], 1),
        "growth": round(sizes[late] / sizes[early] - 1, 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--early", type=int, default=20)
    parser.add_argument("--clips", type=int, default=200)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        for name, annotator in annotators(Path(folder)).items():
            found = growth(annotator, options.early, options.clips)
            print(json.dumps({"annotator": name} | found), flush=True)


if __name__ == "__main__":
    main()
