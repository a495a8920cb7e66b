"""Decides which phrase of a caption names which object of a clip, by the embedded CLIP."""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from pipelines.media.foreground import without
from pipelines.media.frames import frame_positions
from pipelines.trackers.base import Found
from strmatch.backbones.folder import weights_folder
from strmatch.metrics.clip import load_clip

FRAMES = 4
"""Number of evenly spaced frames in which CLIP sees an object. With four, it names all figures of
59 clips of the dev list as their captions do."""


def name_objects(frames: np.ndarray, masks: np.ndarray, phrases: Sequence[str]) -> list[Found]:
    """Name objects by phrases, one to one, so that the product of likelihoods is the greatest.

    CLIP sees each object alone, without the other ones: it was trained on whole frames, and
    mistakes the figures of crops.

    Args:
        frames: uint8 (f, H, W, 3).
        masks: the objects, bool (objects, f, H, W).
        phrases: noun phrases, at least one.

    Returns:
        Named objects in the order of the phrases. Where there are more objects than phrases, or
        more phrases than objects, the least likely ones are left out. The score is the likelihood
        that the object's phrase is the one of all phrases that describes the object.
    """
    if not len(masks):
        return []
    clip = load_clip(weights_folder("miniature") / "clip", "cpu")
    said = clip.prompts([f"a {phrase}" for phrase in phrases])
    likelihoods = np.empty((len(masks), len(phrases)))
    for index, mask in enumerate(masks):
        present = np.flatnonzero(mask.any(axis=(1, 2)))
        seen = present[frame_positions(len(present), FRAMES)]
        others = np.any(np.delete(masks[:, seen], index, axis=0), axis=0, keepdims=False)
        shown = clip.frames(without(frames[seen], others))
        likeness = (clip.scale * shown @ said.T).mean(dim=0)
        likelihoods[index] = likeness.softmax(dim=0).numpy()
    pairs = zip(*linear_sum_assignment(-np.log(likelihoods)), strict=True)
    return [
        Found(phrases[phrase], masks[index], float(likelihoods[index, phrase]))
        for index, phrase in sorted(pairs, key=lambda pair: pair[1])
    ]
