"""The videos of a row, as files for a browser."""

from collections.abc import Sequence

import cv2
import numpy as np

from pipelines.media import masks
from pipelines.media.encode import decode_frames, encode_frames
from pipelines.rows import Row
from pipelines.storage import Storage

TINT = np.array([255, 0, 200], np.uint8)
"""Colour of the mask overlay, RGB: rare in subjects."""
LONGEST_SIDE = 512
"""Maximum height or width of an overlay, pixels."""
MEDIA = ["timestamps", "source_video", "edited_video", "mask"]


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

    A source longer than `LONGEST_SIDE` is scaled down: the page shows no more of an overlay.
    """
    scale = min(1.0, LONGEST_SIDE / max(row["height"], row["width"]))
    size = [2 * max(1, round(scale * row[side] / 2)) for side in ("width", "height")]
    pairs = zip(decode_frames(row["source_video"]), row["mask"], strict=True)
    frames = (_tinted(frame, masks.decode([rle])[0], size) for frame, rle in pairs)
    return encode_frames(frames, row["fps"], timestamps=row["timestamps"])


def _tinted(frame: np.ndarray, mask: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Returns a frame uint8 (H, W, 3) of width and height `size`, with a mask bool (H, W)."""
    frame = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    inside = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    frame[inside] = frame[inside] // 2 + TINT // 2
    outlines, _ = cv2.findContours(inside.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(frame, outlines, -1, TINT.tolist(), thickness=1)
    return frame
