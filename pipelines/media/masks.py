"""Encode masks as COCO run-length encoding (RLE), and load masks from files."""

import json
import posixpath
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco

from pipelines.errors import RowError
from pipelines.media.video import open_video
from pipelines.storage import filesystem

Rle = dict[str, Any]


def encode(mask: np.ndarray) -> list[Rle]:
    """Encode a mask bool (f, H, W) as COCO RLE, one {"size": [H, W], "counts": str} per frame."""
    frames = [coco.encode(np.asfortranarray(frame, dtype=np.uint8)) for frame in mask]
    return [
        {"size": [int(side) for side in rle["size"]], "counts": rle["counts"].decode("ascii")}
        for rle in frames
    ]


def decode(rles: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Decode COCO RLE per frame, compressed or not, to bool (f, H, W)."""
    return np.stack([_decode_frame(rle) for rle in rles])


def load(location: str, indices: Sequence[int], options: Mapping[str, Any]) -> np.ndarray:
    """Load the mask of selected frames of a source.

    Args:
        location: a video or a folder of PNG files (white marks the object), or a JSON list of
            COCO RLE, with one mask for every frame of the source.
        indices: positions of the selected frames in the source.
        options: storage options of fsspec.

    Returns:
        bool (f, H, W), in the height and width of the mask file.

    Raises:
        RowError: `BadMask`, the mask cannot be read or lacks a selected frame.
    """
    try:
        fs, path = filesystem(location, options)
        if fs.isdir(path):
            names = sorted(n for n in fs.ls(path, detail=False) if n.lower().endswith(".png"))
            chosen = _choose(names, indices, location)
            return np.stack([_read_png(fs, name) for name in chosen])
        if path.lower().endswith(".json"):
            return decode(_choose(json.loads(fs.cat_file(path)), indices, location))
        with open_video(location, dict(options)) as video:
            _choose(range(len(video.timestamps)), indices, location)
            return video.frames(indices)[..., 0] > 127
    except RowError as error:
        name = posixpath.basename(location)
        raise RowError("BadMask", f"mask {name}: {error.message}") from error
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RowError("BadMask", f"mask {posixpath.basename(location)}: {error}") from error


def largest_region(frame: np.ndarray) -> np.ndarray:
    """Return the largest connected region of a mask, bool or uint8 (H, W), as bool (H, W)."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(frame.astype(np.uint8))
    if count == 1:
        return np.zeros(frame.shape, bool)
    return labels == 1 + stats[1:, cv2.CC_STAT_AREA].argmax()


def _choose(frames: Sequence[Any], indices: Sequence[int], location: str) -> list[Any]:
    if not isinstance(frames, Sequence) or len(frames) <= max(indices):
        raise RowError(
            "BadMask",
            f"has {len(frames)} frames, frame {max(indices)} of the video is needed; "
            "a mask goes with the frames of the whole video",
        )
    return [frames[index] for index in indices]


def _read_png(fs: Any, name: str) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(fs.cat_file(name), np.uint8), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise ValueError(f"{posixpath.basename(name)} is no PNG")
    return image > 127


def _decode_frame(rle: Mapping[str, Any]) -> np.ndarray:
    counts, size = rle["counts"], [int(side) for side in rle["size"]]
    if isinstance(counts, str):
        compressed: Any = {"size": size, "counts": counts.encode("ascii")}
    else:
        compressed = coco.frPyObjects({"size": size, "counts": list(counts)}, *size)
    return coco.decode(compressed).astype(bool)
