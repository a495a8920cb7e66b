"""The videos of a row, as files for a browser."""

import cv2
import numpy as np

from pipelines.media import masks
from pipelines.media.encode import decode_video, encode_video
from pipelines.rows import Row
from pipelines.storage import Storage

TINT = np.array([255, 0, 200], np.uint8)
"""Colour of the mask overlay, RGB: rare in subjects."""
MEDIA = ["fps", "timestamps", "source_video", "edited_video", "mask"]


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
    """Returns the source as MP4, with the mask as a tinted overlay with an outline."""
    frames = decode_video(row["source_video"]).copy()
    for frame, inside in zip(frames, masks.decode(row["mask"]), strict=True):
        frame[inside] = frame[inside] // 2 + TINT // 2
        outlines, _ = cv2.findContours(
            inside.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE
        )
        cv2.drawContours(frame, outlines, -1, TINT.tolist(), thickness=1)
    return encode_video(frames, row["fps"], timestamps=row["timestamps"])
