"""The masks of clips."""

from pipelines.config.sections import MaskCheck
from pipelines.media import masks
from pipelines.media.encode import decode_video
from pipelines.rows import Row
from pipelines.trackers.base import Tracker
from pipelines.trackers.mask_check import check_given_mask, check_mask


class Track:
    """Sets mask and mask_source, or checks the manifest's mask. Reads source_video and subject.

    Args:
        name: the tracker's name, for mask_source.
        tracker: returns the subject's mask, or None.
        limits: a mask outside them rejects the clip, see `trackers.mask_check`.
    """

    def __init__(self, name: str, tracker: Tracker, limits: MaskCheck) -> None:
        self.name = name
        self.tracker = tracker
        self.limits = limits

    def __call__(self, row: Row) -> Row:
        if row["mask"] is not None:
            check_given_mask(masks.decode(row["mask"]), self.limits)
            return {}
        mask = self.tracker(decode_video(row["source_video"]), row["subject"])
        if mask is None:
            return {"mask": None, "mask_source": "none"}
        check_mask(mask, self.limits)
        return {"mask": masks.encode(mask), "mask_source": self.name}
