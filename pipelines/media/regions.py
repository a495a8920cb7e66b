"""Where the edits of a clip are made: in its subject, its background, everywhere, or in objects."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from pipelines.media import masks
from strmatch.metrics.base import Where

Edits = Sequence[Mapping[str, Any]]
"""The edits of several objects, as `schema.EDIT`. Empty: one edit of the subject, or around it."""


class Regions:
    """The regions of a clip in which edits are made. Masks are decoded once, where needed.

    Args:
        clip: a row of `schema.CLIPS`.
    """

    def __init__(self, clip: Mapping[str, Any]) -> None:
        self.clip = clip

    @cached_property
    def _mask(self) -> np.ndarray | None:
        mask = self.clip["mask"]
        return None if mask is None else masks.decode(mask)

    @cached_property
    def _objects(self) -> dict[int, np.ndarray]:
        return {each["id"]: masks.decode(each["mask"]) for each in self.clip["objects"]}

    def of_edit(self, where: Where, edits: Edits = ()) -> np.ndarray | None:
        """Returns where an edit may change the clip.

        Args:
            where: where the edit applies, if it is one of the subject.
            edits: those of several objects, whose regions are joined.

        Returns:
            bool (f, H, W); None: everywhere.
        """
        if edits:
            return np.logical_or.reduce(self.of_each(edits))
        return masks.region(self._mask, where)

    def of_each(self, edits: Edits) -> list[np.ndarray]:
        """Returns where each edit of several objects is made, bool (f, H, W): an object's mask, or
        what no object of the clip covers."""
        return [
            ~np.logical_or.reduce([*self._objects.values()])
            if each["object"] is None
            else self._objects[each["object"]]
            for each in edits
        ]
