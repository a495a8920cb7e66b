"""The edit of a row in the frames of its source."""

import json

import numpy as np

from pipelines.config.config import Config
from pipelines.media import masks
from pipelines.media.composite import composite, enlarge_mask
from pipelines.media.encode import decode_frames, encode_frames
from pipelines.media.frames import placement
from pipelines.rows import Row, failure
from pipelines.storage import Storage
from pipelines.tables.full_size import read_full


class CompositeEdit:
    """Brings source_video, edited_video, mask and objects to the source's size, height and width.

    Reads a row of the dataset that is ok. Sets composited. A row that cannot be composited fails,
    and keeps the videos of the model's size. Frames are decoded and encoded one at a time.

    Args:
        output: the run's folder, with the clips at the source's size.
        config: the run's configuration.
    """

    def __init__(self, output: Storage, config: Config) -> None:
        self.output = output
        self.clip = config.clip
        self.dilation = config.edit.mask_dilation

    def __call__(self, row: Row) -> Row:
        """Returns the columns that change."""
        try:
            return self._composited(row)
        except Exception as error:
            return failure("composite", error)

    def _composited(self, row: Row) -> Row:
        full = read_full(self.output, row["clip_id"], row["source_version"])
        mask = None if row["mask"] is None else masks.decode(row["mask"])
        region = masks.region(mask, row["edit_where"])
        regions = [None] * row["num_frames"] if region is None else region
        dilation = json.loads(row["editor_settings"]).get("mask_dilation", self.dilation)
        both = zip(decode_frames(full), decode_frames(row["edited_video"]), regions, strict=True)
        frames = (composite(*each, self.clip.fit, dilation) for each in both)
        edited = encode_frames(frames, row["fps"], self.clip.crf, row["timestamps"])
        height, width = next(decode_frames(full)).shape[:2]
        return {
            "source_video": full,
            "edited_video": edited,
            "mask": None if mask is None else self._enlarged(mask, height, width),
            "objects": [
                each | {"mask": self._enlarged(masks.decode(each["mask"]), height, width)}
                for each in row.get("objects") or ()  # clips of older outputs have none
            ]
            or None,
            "height": height,
            "width": width,
            "composited": "frame" if region is None else "mask",
        }

    def _enlarged(self, mask: np.ndarray, height: int, width: int) -> list[masks.Rle]:
        placed = placement((height, width), mask.shape[1], mask.shape[2], self.clip.fit)
        each = (enlarge_mask(frame, (height, width), placed) for frame in mask)
        return [rle for frame in each for rle in masks.encode(frame[None])]
