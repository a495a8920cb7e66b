"""Stores a clip at the size in which players show its source."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from pipelines import telemetry
from pipelines.config.clip import Clip
from pipelines.media.encode import encode_frames
from pipelines.media.spans import same_span
from pipelines.media.video.opening import open_video
from pipelines.media.video.reader import Video, check_one_size
from pipelines.reliability.deadline import Deadline
from pipelines.rows import Row, failure
from pipelines.storage import Storage
from pipelines.tables.full_size import commit_full


class StoreFullSize:
    """Encodes the frames of a clip without resizing them, and commits them as one file.

    Reads an item of `tables.full_size.pending_full`. Writes a row of `schema.FULL_SIZE`. Frames are
    read and encoded one at a time.

    Args:
        clip: how clips are cut.
        output: where files are written.
        storage_options: of the file systems of sources.
        deadline: bounds the duration of a clip.
    """

    def __init__(
        self, clip: Clip, output: Storage, storage_options: Mapping[str, Any], deadline: Deadline
    ) -> None:
        self.clip = clip
        self.output = output
        self.options = dict(storage_options)
        self.deadline = deadline

    def __call__(self, item: Row) -> Row:
        """Returns the counts of the committed file."""
        started = time.perf_counter()
        row: Row = {"clip_id": item["clip_id"], "status": "ok"}
        try:
            with self.deadline("full_size", item["full"]):
                row["full_video"] = self._encoded(item)
        except Exception as error:
            row |= failure("full_size", error)
        telemetry.record_seconds("full_size", time.perf_counter() - started)
        return commit_full(self.output, item["full"], row)

    def _encoded(self, item: Row) -> bytes:
        with open_video(item["location"], self.options) as video:
            span = same_span(
                video, item["start_seconds"], item["fps"], item["num_frames"], self.clip
            )
            pictures = _of_one_size(video, span.frames)
            return encode_frames(pictures, span.fps, self.clip.crf, span.timestamps)


def _of_one_size(video: Video, numbers: np.ndarray) -> Iterator[np.ndarray]:
    """Yields the pictures of frames; raises `Rejected` as `check_one_size`."""
    shapes: set[tuple[int, ...]] = set()
    for picture in video.pictures(numbers):
        shapes.add(picture.shape)
        check_one_size(shapes)
        yield picture
