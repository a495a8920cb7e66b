"""Cuts a source into clips: resizes frames to the model's size and encodes them once."""

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np
from fsspec.implementations.local import LocalFileSystem

from pipelines import ids, telemetry
from pipelines.config.clip import Clip
from pipelines.errors import Rejected, RowError
from pipelines.media import masks
from pipelines.media.encode import encode_video
from pipelines.media.frames import fit
from pipelines.media.mask_files import frames_of, read_mask
from pipelines.media.spans import find_spans
from pipelines.media.video.opening import open_video
from pipelines.media.video.reader import Video, check_one_size
from pipelines.reliability.deadline import Bound
from pipelines.rows import Row, failure
from pipelines.schema import CLIPS
from pipelines.sources.versions import file_version
from pipelines.stages.clip_filter import ClipFilter
from pipelines.storage import filesystem
from pipelines.target_prompt import TargetPrompt

LOOKED_AT = 4
"""At most this many candidate spans are examined per requested clip."""


class FindClips:
    """Cuts a source into clips.

    Reads a row of `schema.SOURCES`. Returns rows of `schema.CLIPS` with span, frames, size,
    decoder, source_video and, if the source names one, mask. A skipped clip is a rejected row
    without source_video and mask, with a reason of `stages.clip_filter`. A source without a clip is
    one failed row of level source, with a reason of `pipelines.media.video`, `BadManifestRow`,
    `TooShort`, or `BadMask`.

    Args:
        clip: how clips are cut.
        storage_options: of the file systems of sources and masks.
        deadline: bounds the duration of a source.
    """

    def __init__(self, clip: Clip, storage_options: Mapping[str, Any], deadline: Bound) -> None:
        self.clip = clip
        self.options = dict(storage_options)
        self.deadline = deadline

    def __call__(self, source: Row) -> list[Row]:
        started = time.perf_counter()
        # The later stages read these columns.
        prompts = source["targets"] or ()
        wheres = source["targets_where"] or ["subject"] * len(prompts)
        targets = [
            TargetPrompt(prompt.strip(), where=where).as_row()
            for prompt, where in zip(prompts, wheres, strict=True)
        ]
        given = {name: source[name] for name in ("caption", "subject", "target_group")}
        given |= {"targets": targets or None, "given_edits": source["edits"]}
        if source["edits"]:
            given["subject"] = source["edits"][0]["subject"]
        try:
            with self.deadline("decode", source["source_row"]):
                rows = [of_source(source) | given | columns for columns in self._clips(source)]
        except Exception as error:
            rows = [failed_source(source, failure("decode", error)) | given]
        seconds = (time.perf_counter() - started) / len(rows)
        telemetry.record_seconds("decode", seconds)
        return [row | {"clips_in_source": len(rows), "seconds": seconds} for row in rows]

    def _clips(self, source: Row) -> Iterator[Row]:
        if source["problem"]:
            raise RowError("BadManifestRow", source["problem"])
        key = ids.source_key(source, _content(source["location"], self.options))
        decode = self.clip.model_dump(include={"height", "width", "fit", "crf"})
        if self.clip.span != "window":
            decode["every_frame"] = True
        given, most = source["start_seconds"], self.clip.max_clips_per_video
        skip, taken = ClipFilter(self.clip), 0
        with open_video(source["location"], self.options) as video:
            spans = find_spans(video, given, self.clip, source["num_frames"])
            for span in islice(spans, most and LOOKED_AT * most):
                decode["num_frames"] = len(span.frames)
                row: Row = {
                    "level": "clip",
                    "clip_id": ids.clip_id(key, span.start, span.fps, decode),
                    "start_seconds": span.start,
                    "fps": span.fps,
                    "num_frames": len(span.frames),
                    "timestamps": span.timestamps,
                    "height": self.clip.height,
                    "width": self.clip.width,
                    **video.properties,
                }
                try:
                    frames = fitted(video, span.frames, self.clip)
                    row["source_decoder"] = video.decoder
                    if given is None:  # a span of the manifest is never rejected
                        skip(frames, span.start, span.fps)
                    mask = self._mask(source, video, span.frames)
                    row |= {
                        "status": "ok",
                        "source_video": encode_video(
                            frames, span.fps, self.clip.crf, row["timestamps"]
                        ),
                        "mask": mask,
                        "mask_source": "manifest" if mask else None,
                        "objects": self._objects(source["edits"], video, span.frames),
                    }
                    taken += 1
                except Rejected as reason:
                    row |= failure("decode", reason)
                yield row
                if taken == most:
                    return

    def _mask(self, given: Row, video: Video, frames: np.ndarray) -> list[masks.Rle] | None:
        """Returns the mask that a source, or one of its edits, names."""
        if not given["mask_location"]:
            return None
        location, label = given["mask_location"], given["mask_label"]
        pixels = read_mask(location, frames.tolist(), frames_of(video), self.options, label)
        return masks.encode(_fitted(pixels, self.clip))

    def _objects(
        self, edits: list[Row] | None, video: Video, frames: np.ndarray
    ) -> list[Row] | None:
        """Returns the objects of the manifest's edits. Those without a mask are still to be
        found."""
        if not edits:
            return None
        return [
            {"id": number, "words": each["subject"], "mask": self._mask(each, video, frames)}
            for number, each in enumerate(edits)
        ]


def of_source(source: Row) -> Row:
    """Returns the columns that all rows of a source share."""
    named = ("source_id", "source_uri", "start_seconds", "source_row", "source_version")
    return dict.fromkeys(CLIPS.names) | {name: source[name] for name in named}


def failed_source(source: Row, outcome: Row) -> Row:
    """Returns the row of `schema.CLIPS` for a source without a clip."""
    return of_source(source) | outcome | {"level": "source", "row_id": ids.source_row_id(source)}


def fitted(video: Video, numbers: np.ndarray, clip: Clip) -> np.ndarray:
    """Returns the frames of a clip in the clip's size, uint8 (f, height, width, 3).

    Raises:
        Rejected: SizeChanges, the frames differ in size.
    """
    shapes: set[tuple[int, ...]] = set()

    def seen() -> Iterator[np.ndarray]:
        for picture in video.pictures(numbers):
            shapes.add(picture.shape)
            yield picture

    frames = _fitted(seen(), clip)
    check_one_size(shapes)
    return frames


def _fitted(pictures: Iterable[np.ndarray], clip: Clip) -> np.ndarray:
    """Returns pictures or masks in the clip's size, as `fit`.

    Resizes one at a time, because a clip of 8K frames has gigabytes.
    """
    each = [fit(picture[None], clip.height, clip.width, clip.fit)[0] for picture in pictures]
    return np.stack(each)


def _content(location: str, options: Mapping[str, Any]) -> str | None:
    """Returns the SHA-256 of a local file, the version of another; None if it cannot be read."""
    try:
        fs, path = filesystem(location, options)
        if isinstance(fs, LocalFileSystem):
            with open(path, "rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        return file_version(fs.info(path))
    except OSError:
        return None
