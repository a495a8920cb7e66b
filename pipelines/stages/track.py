"""The masks of clips."""

from pipelines.config.sections import MaskCheck
from pipelines.errors import Rejected
from pipelines.media import masks
from pipelines.media.encode import decode_video
from pipelines.rows import Row
from pipelines.trackers.base import Tracker
from pipelines.trackers.mask_check import check_given_mask, check_mask


class Track:
    """Sets mask and mask_source, or checks the manifest's mask. Reads source_video, subject
    and fps.

    Rejects with `NoMask` a clip in which the tracker finds no subject, unless the tracker is `none`
    or masks are not required.

    Args:
        name: the tracker's name, for mask_source.
        tracker: returns the subject's mask, or None.
        limits: a mask outside them rejects the clip, see `trackers.mask_check`.
        window: number of frames of a window. A longer clip must be within the limits in every
            second, or in every window if a window is longer. None: clips are windows.
    """

    def __init__(
        self, name: str, tracker: Tracker, limits: MaskCheck, window: int | None = None
    ) -> None:
        self.name = name
        self.tracker = tracker
        self.limits = limits
        self.window = window

    def __call__(self, row: Row) -> Row:
        if row["mask"] is not None:
            check_given_mask(masks.decode(row["mask"]), self.limits, *self._stretch(row))
            return {}
        mask = self.tracker(decode_video(row["source_video"]), row["subject"])
        if mask is None and self.limits.required and self.name != "none":
            sought = row["subject"] or "a subject"
            raise Rejected(
                "NoMask",
                f"the tracker {self.name} does not find {sought}: give a mask in the "
                "manifest, take another annotate.tracker, or edit whole clips by "
                "annotate.mask_check.required=false",
            )
        if mask is None:
            return {"mask": None, "mask_source": "none"}
        check_mask(mask, self.limits, *self._stretch(row))
        return {"mask": masks.encode(mask), "mask_source": self.name}

    def _stretch(self, row: Row) -> tuple[int, float] | tuple[()]:
        """Number of frames that are checked together, and the frames per second of the clip."""
        return (max(self.window, round(row["fps"])), row["fps"]) if self.window else ()
