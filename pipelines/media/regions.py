"""Where the edits of a clip are made: in its subject, its background, everywhere, or in objects."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipelines.media import masks
from strmatch.metrics.base import Where

Edits = Sequence[Mapping[str, Any]]
"""The edits of several objects, as `schema.EDIT`. Empty: one edit of the subject, or around it."""


def edited_region(clip: Mapping[str, Any], where: Where, edits: Edits = ()) -> np.ndarray | None:
    """Returns where an edit may change a clip.

    Args:
        clip: a row of `schema.CLIPS`.
        where: where the edit applies, if it is one of the subject.
        edits: those of several objects, whose regions are joined.

    Returns:
        bool (f, H, W); None: everywhere.
    """
    if edits:
        return np.logical_or.reduce(edit_regions(clip, edits))
    mask = None if clip["mask"] is None else masks.decode(clip["mask"])
    return masks.region(mask, where)


def edit_regions(clip: Mapping[str, Any], edits: Edits) -> list[np.ndarray]:
    """Returns where each edit of several objects is made, bool (f, H, W): an object's mask, or what
    no object of the clip covers."""
    objects = {each["id"]: masks.decode(each["mask"]) for each in clip["objects"]}
    return [
        ~np.logical_or.reduce([*objects.values()])
        if each["object"] is None
        else objects[each["object"]]
        for each in edits
    ]
