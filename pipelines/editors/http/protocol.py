"""The messages between the editor `http` and servers of edits: see `infra/edit_server`.

Videos and masks are MP4, lossless where this package writes them, so that an edit by a server is
the edit of the same editor without one.
"""

from itertools import islice

import numpy as np
import pydantic

from pipelines.media.encode import decode_frames, encode_lossless

VIDEO_TYPE = "video/mp4"
INSIDE = 128
"""Least brightness of a pixel inside a mask, 0–255."""


class Info(pydantic.BaseModel):
    """What a server edits by, `GET /info`. Other fields are ignored."""

    name: str = pydantic.Field(min_length=1)
    """Name of the editor or model."""
    revision: str = pydantic.Field(min_length=1)
    """Changes with everything that edits depend on: weights, settings, versions."""


class Texts(pydantic.BaseModel):
    """The text fields of a request for an edit, `POST /edits`. Other fields are ignored."""

    source_prompt: str
    """What the video shows."""
    target_prompt: str
    """What the edit shall show."""
    instruction: str
    """The same change as an instruction."""
    seed: int
    """Seed of random editors."""


class Problem(pydantic.BaseModel):
    """The body of an answer that is no edit."""

    type: str
    """A code in CamelCase, the same for all problems of this kind."""
    message: str
    """One line."""


class OtherShape(Exception):
    """A video has not the length and size of the clip."""


def encode_mask(mask: np.ndarray, fps: float) -> bytes:
    """Encode a mask bool (f, H, W) as a video, white where the clip is to change."""
    white = np.where(mask, 255, 0).astype(np.uint8)
    return encode_lossless(np.repeat(white[..., None], 3, axis=-1), fps)


def decode_mask(data: bytes, shape: tuple[int, ...]) -> np.ndarray:
    """Decode a mask to bool (f, H, W).

    Args:
        shape: (f, H, W, 3) of the clip.

    Raises:
        OtherShape: the mask has another length or size.
        RowError: `DecodeFailed`.
    """
    frames = decode_like(data, shape)
    return frames[..., 1] >= INSIDE


def decode_like(data: bytes, shape: tuple[int, ...]) -> np.ndarray:
    """Decode a video of a shape (f, H, W, 3), in memory that does not exceed its frames.

    Raises:
        OtherShape: the video has another length or size.
        RowError: `DecodeFailed`.
    """
    length, height, width, _ = shape
    found = []
    for frame in islice(decode_frames(data), length + 1):
        if frame.shape != shape[1:]:
            size = f"{frame.shape[0]} × {frame.shape[1]}"
            raise OtherShape(f"a video of {size} pixels (height × width), not {height} × {width}")
        found.append(frame)
    if len(found) != length:
        told = f"more than {length}" if len(found) > length else f"{len(found)} of {length}"
        raise OtherShape(f"a video of {told} frames")
    return np.stack(found)
