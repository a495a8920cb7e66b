"""How much of the change of a clip is where the change was to be."""

import math

import numpy as np

from strmatch.metrics.background import EDGE
from strmatch.metrics.base import Sample
from strmatch.metrics.colour_difference import colour_difference, dilated

JUST_NOTICEABLE = 2.0
"""ΔE*ab."""


class Changed:
    """Mean colour difference inside the mask by the sum of those inside and outside.

    inside / (inside + outside + 2), after S-CIELAB, see `strmatch.metrics.colour_difference`. The
    mask is dilated by two pixels. The just noticeable difference of 2 in the denominator makes a
    copy of the source 0. An edit of the whole frame has about a half. Without a mask, or without a
    background, the outside is 0.

    Unit: share. Range: 0 (nothing changed) to 1 (only what was to change), higher is better. NaN:
    an empty mask.
    """

    def __call__(self, sample: Sample) -> float:
        everywhere = np.ones(sample.source.shape[:3], bool)
        mask = everywhere if sample.mask is None else sample.mask
        inside, outside = [], []
        for source, edited, part in zip(sample.source, sample.edited, mask, strict=True):
            difference, chosen = colour_difference(source, edited), dilated(part, EDGE)
            if part.any():
                inside.append(difference[chosen].mean())
            if not chosen.all():
                outside.append(difference[~chosen].mean())
        if not inside:
            return math.nan
        changed, elsewhere = float(np.mean(inside)), float(np.mean(outside)) if outside else 0.0
        return changed / (changed + elsewhere + JUST_NOTICEABLE)
