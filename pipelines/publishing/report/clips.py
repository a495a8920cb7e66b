"""The videos of a row, as files for a browser."""

from collections.abc import Iterator, Sequence
from itertools import cycle

import cv2
import numpy as np

from pipelines.media import masks
from pipelines.media.encode import decode_frames, encode_frames
from pipelines.media.regions import Regions
from pipelines.rows import Row
from pipelines.storage import Storage

TINT = np.array([255, 0, 200], np.uint8)
"""Colour of the mask overlay, RGB: rare in subjects."""
TINTS = (TINT, np.array([0, 230, 255], np.uint8), np.array([170, 255, 0], np.uint8))
"""Colours of the overlays of several edits, in turn."""
LONGEST_SIDE = 512
"""Maximum height or width of an overlay, pixels."""
MEDIA = ["timestamps", "source_video", "edited_video", "mask", "objects", "edits"]


def write_clips(output: Storage, row: Row) -> list[str]:
    """Write the videos of a row; returns their kinds: "source", "edit", "mask"."""
    videos = {"source": row["source_video"], "edit": row["edited_video"]}
    if row["source_video"] is not None and row["mask"] is not None:
        videos["mask"] = _overlay(row)
    written = {kind: video for kind, video in videos.items() if video is not None}
    for kind, video in written.items():
        output.write(f"report/clips/{row['row_id']}-{kind}.mp4", video)
    return list(written)


def _overlay(row: Row) -> bytes:
    """Returns the source as MP4, with the mask as a tinted overlay with an outline.

    Each of several edits has a colour of its own. A source longer than `LONGEST_SIDE` is scaled
    down: the page shows no more of an overlay.
    """
    scale = min(1.0, LONGEST_SIDE / max(row["height"], row["width"]))
    size = [2 * max(1, round(scale * row[side] / 2)) for side in ("width", "height")]
    pairs = zip(decode_frames(row["source_video"]), _masks(row), strict=True)
    frames = (_overlaid(frame, inside, size) for frame, inside in pairs)
    return encode_frames(frames, row["fps"], timestamps=row["timestamps"])


def _masks(row: Row) -> Iterator[list[np.ndarray]]:
    """Yields the masks of each frame, bool (H, W): one, or one of each of several edits."""
    for number, rle in enumerate(row["mask"]):
        if row.get("edits"):
            objects = [each | {"mask": [each["mask"][number]]} for each in row["objects"]]
            yield [region[0] for region in Regions({"objects": objects}).of_each(row["edits"])]
        else:
            yield [masks.decode([rle])[0]]


def _overlaid(frame: np.ndarray, inside: Sequence[np.ndarray], size: Sequence[int]) -> np.ndarray:
    """Returns a frame uint8 (H, W, 3) of width and height `size`, with masks bool (H, W)."""
    frame = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    for mask, tint in zip(inside, cycle(TINTS), strict=False):
        frame = _tinted(frame, mask, tint)
    return frame


def _tinted(frame: np.ndarray, mask: np.ndarray, tint: np.ndarray) -> np.ndarray:
    size = (frame.shape[1], frame.shape[0])
    inside = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    frame[inside] = frame[inside] // 2 + tint // 2
    outlines, _ = cv2.findContours(inside.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(frame, outlines, -1, tint.tolist(), thickness=1)
    return frame
