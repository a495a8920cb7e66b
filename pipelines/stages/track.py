"""The masks of clips."""

from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from pipelines.config.sections import MaskCheck
from pipelines.english.objects import objects_of
from pipelines.errors import Rejected
from pipelines.media import masks
from pipelines.media.encode import decode_video
from pipelines.rows import Row
from pipelines.trackers.base import Found, Tracker
from pipelines.trackers.mask_check import check_given_mask, check_mask


class Track:
    """Sets mask and mask_source, or checks the manifest's mask. Reads source_video, source_prompt,
    subject, given_edits and fps.

    Rejects with `NoMask` a clip in which the tracker finds no subject, unless the tracker is `none`
    or masks are not required.

    Sets `objects`, too, where several are asked for and the caption names several. An object other
    than the subject is left out if its mask is outside the limits, or is that of an earlier object.

    Args:
        name: the tracker's name, for mask_source.
        tracker: returns the subject's mask, or None.
        limits: a mask outside them rejects the clip, see `trackers.mask_check`.
        window: number of frames of a window. A longer clip must be within the limits in every
            second, or in every window if a window is longer. None: clips are windows.
        objects: maximum number of objects. The first one is the subject.
    """

    def __init__(
        self,
        name: str,
        tracker: Tracker,
        limits: MaskCheck,
        window: int | None = None,
        objects: int = 1,
    ) -> None:
        self.name = name
        self.tracker = tracker
        self.limits = limits
        self.window = window
        self.objects = objects

    def __call__(self, row: Row) -> Row:
        if row.get("given_edits"):  # clips of older steps have none
            return self._given(row)
        if row["mask"] is not None:
            check_given_mask(masks.decode(row["mask"]), self.limits, *self._stretch(row))
            return {}
        found = self._follow(decode_video(row["source_video"]), row)
        if not found and self.limits.required and self.name != "none":
            sought = row["subject"] or "a subject"
            raise Rejected(
                "NoMask",
                f"the tracker {self.name} does not find {sought}: give a mask in the "
                "manifest, take another annotate.tracker, or edit whole clips by "
                "annotate.mask_check.required=false",
            )
        if not found:
            return {"mask": None, "mask_source": "none"}
        subject, *others = found
        check_mask(subject.mask, self.limits, *self._stretch(row))
        columns = {"mask": masks.encode(subject.mask), "mask_source": self.name}
        objects = [subject, *self._usable(subject, others, row)]
        return columns | ({"objects": as_column(objects)} if len(objects) > 1 else {})

    def _given(self, row: Row) -> Row:
        """Returns the columns of a clip whose objects the manifest names. Masks that it does not
        give are the tracker's."""
        objects = [dict(each) for each in row["objects"]]
        found: dict[str, np.ndarray] = {}
        if any(each["mask"] is None for each in objects):
            frames = decode_video(row["source_video"])
            phrases = [each["words"] for each in objects]
            found = {each.words: each.mask for each in self.tracker.objects(frames, phrases)}
        for each in objects:
            if each["mask"] is not None:
                check_given_mask(masks.decode(each["mask"]), self.limits, *self._stretch(row))
            elif each["words"] in found:
                check_mask(found[each["words"]], self.limits, *self._stretch(row))
                each["mask"] = masks.encode(found[each["words"]])
            else:
                raise Rejected(
                    "NoMask",
                    f"the tracker {self.name} does not find {each['words']}: give the edit a "
                    "mask_uri in the manifest",
                )
        source = self.name if found else "manifest"
        return {"mask": objects[0]["mask"], "mask_source": source, "objects": objects}

    def _follow(self, frames: np.ndarray, row: Row) -> list[Found]:
        """Returns what is found, the subject first; nothing without the subject."""
        named = objects_of(row["source_prompt"], row["subject"]) if self.objects > 1 else []
        phrases = [each.phrase for each in named[: self.objects]]
        if len(phrases) < 2:
            mask = self.tracker(frames, row["subject"])
            return [] if mask is None else [Found(row["subject"], mask, None)]
        found = self.tracker.objects(frames, phrases)
        return found if found and found[0].words == phrases[0] else []

    def _usable(self, subject: Found, others: Sequence[Found], row: Row) -> list[Found]:
        """Returns the other objects with a mask of their own, within the limits."""
        kept: list[Found] = []
        for each in others:
            taken = (masks.overlap(each.mask, one.mask) for one in (subject, *kept))
            if max(taken) < masks.SAME_OBJECT:
                with suppress(Rejected):
                    check_mask(each.mask, self.limits, *self._stretch(row))
                    kept.append(each)
        return kept

    def _stretch(self, row: Row) -> tuple[int, float] | tuple[()]:
        """Number of frames that are checked together, and the frames per second of the clip."""
        return (max(self.window, round(row["fps"])), row["fps"]) if self.window else ()


def as_column(objects: Sequence[Found]) -> list[Row]:
    """Returns objects as a list of `schema.OBJECT`, numbered from 0."""
    return [
        each._asdict() | {"id": number, "mask": masks.encode(each.mask)}
        for number, each in enumerate(objects)
    ]
