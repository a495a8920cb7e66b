"""Load the mask of a source from files: pictures, a video, arrays, or a list of COCO RLE.

White, or any value that is not 0, is inside. A mask has the frames of the whole video, in its size.
"""

import json
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from typing import Any, NamedTuple

import cv2
import numpy as np
from PIL import Image

from pipelines.errors import RowError
from pipelines.media import masks
from pipelines.media.video.opening import open_video
from pipelines.media.video.reader import Video
from pipelines.storage import filesystem

LOSSLESS = (".png", ".bmp", ".tif", ".tiff", ".gif", ".webp")
LOSSY = (".jpg", ".jpeg")
HALF = 128
"""Inside of a mask from a lossy format, whose values are not exact."""
NOISE = 16
"""Largest value of a lossy picture that is black."""
HIDDEN = (".", "Thumbs.db", "desktop.ini")
"""Beginnings of files that operating systems put into folders."""


class Frames(NamedTuple):
    """The frames of a source that its mask belongs to."""

    total: int
    height: int
    width: int
    stored: tuple[int, int]
    """Height and width without square pixels and rotation."""


def frames_of(video: Video) -> Frames:
    """Returns the frames of a video."""
    stored = video.properties["source_height"], video.properties["source_width"]
    return Frames(len(video.timestamps), video.height, video.width, stored)


def read_mask(
    location: str,
    indices: Sequence[int],
    frames: Frames,
    options: Mapping[str, Any],
    label: int | None = None,
) -> Iterator[np.ndarray]:
    """Yields the mask of each selected frame of a source, bool (H, W), in the size of the frames.

    Masks are read one at a time where their format allows. A clip of HD masks has a gigabyte.

    Args:
        location: a folder of pictures, numbered by the last number in each name; a video; an array
            (f, H, W) in .npy or .npz; or a JSON list of COCO RLE, null for a frame without the
            subject.
        indices: positions of the selected frames in the source, ascending.
        frames: the frames of the source.
        options: storage options of fsspec.
        label: the value that is inside, for pictures of labels and arrays. None: all but 0.

    Raises:
        RowError: `BadMask`, the mask cannot be read, is ambiguous, or does not fit the source.
    """
    name = posixpath.basename(location.rstrip("/"))
    try:
        fs, path = filesystem(location, options)
        for mask in _loader(fs, path, location, options)(indices, frames, label):
            yield _in_shape(mask, frames)
    except RowError as error:
        raise RowError("BadMask", f"mask {name}: {error.message}") from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise RowError("BadMask", f"mask {name}: {error or type(error).__name__}") from error


Loader = Callable[[Sequence[int], Frames, int | None], Iterable[np.ndarray]]


def _loader(fs: Any, path: str, location: str, options: Mapping[str, Any]) -> Loader:
    suffix = posixpath.splitext(path)[1].lower()
    if fs.isdir(path):
        return lambda indices, frames, label: _from_pictures(fs, path, indices, frames, label)
    if suffix == ".json":
        return lambda indices, frames, label: _from_rle(fs.cat_file(path), indices, frames, label)
    if suffix in (".npy", ".npz"):
        return lambda indices, frames, label: _from_array(fs.cat_file(path), indices, frames, label)
    return lambda indices, frames, label: _from_video(location, options, indices, frames, label)


def _from_pictures(
    fs: Any, folder: str, indices: Sequence[int], frames: Frames, label: int | None
) -> Iterator[np.ndarray]:
    numbered: dict[int, str] = {}
    for path in fs.ls(folder, detail=False):
        name = posixpath.basename(path.rstrip("/"))
        if name.startswith(HIDDEN):
            continue
        stem, suffix = posixpath.splitext(name)
        numbers = re.findall(r"\d+", stem)
        if suffix.lower() not in (*LOSSLESS, *LOSSY) or not numbers:
            raise _bad(f"the folder holds {name}, which is no numbered picture")
        other = numbered.setdefault(int(numbers[-1]), path)
        if other != path:
            raise _bad(f"{posixpath.basename(other)} and {name} have the same number")
    _check_count(len(numbered), frames)
    first, last = min(numbered), max(numbered)
    if last - first + 1 != len(numbered):
        missing = next(n for n in range(first, last) if n not in numbered)
        raise _bad(f"no picture has number {missing}")
    return (_read_picture(fs, numbered[first + index], label) for index in indices)


def _read_picture(fs: Any, path: str, label: int | None) -> np.ndarray:
    name = posixpath.basename(path)
    try:
        image: Image.Image = Image.open(BytesIO(fs.cat_file(path)))
        image.load()
    except (OSError, SyntaxError) as error:
        raise _bad(f"{name} is no picture ({error})") from error
    lossy = posixpath.splitext(name)[1].lower() in LOSSY
    has_alpha = "A" in image.getbands() or "transparency" in image.info
    if has_alpha and label is None:
        alpha = np.asarray(image.convert("RGBA"))[..., 3]
        if alpha.min() < 255:
            return alpha >= HALF
        image = image.convert("RGB")
    values = np.asarray(image)
    return _inside(values, label, name, lossy)


def _inside(values: np.ndarray, label: int | None, name: str, lossy: bool) -> np.ndarray:
    """Returns the pixels inside, bool (H, W), of values (H, W) or of colours (H, W, c)."""
    if label is not None:
        if values.ndim != 2 or lossy:
            raise _bad(f"{name} has no labels, of which mask_label selects {label}")
        return values == label
    if values.dtype.kind == "f":
        if not np.isfinite(values).all():
            raise _bad(f"{name} has values that are not finite")
        values = values >= 0.5
    brightest = values if values.ndim == 2 else values.max(axis=-1)
    if not lossy:
        return brightest != 0
    if NOISE < brightest.max() < HALF or (0 < brightest.max() <= NOISE and _is_flat(brightest)):
        raise _bad(
            f"the brightest pixel of {name} is {brightest.max()} of 255; white is inside: save the "
            "mask with 0 and 255, or without loss"
        )
    return brightest >= HALF


def _is_flat(values: np.ndarray) -> bool:
    """Whether dark values form areas, which noise does not."""
    return bool((values > 0).mean() > 0.001)


def _from_video(
    location: str,
    options: Mapping[str, Any],
    indices: Sequence[int],
    frames: Frames,
    label: int | None,
) -> Iterator[np.ndarray]:
    name = posixpath.basename(location)
    with open_video(location, dict(options)) as video:
        _check_count(len(video.timestamps), frames)
        lossy = video.properties["source_codec"] not in ("ffv1", "png", "rawvideo")
        for picture in video.pictures(indices):
            yield _inside(picture.max(axis=-1), label, name, lossy)


def _from_array(
    data: bytes, indices: Sequence[int], frames: Frames, label: int | None
) -> Iterator[np.ndarray]:
    loaded = np.load(BytesIO(data), allow_pickle=False)
    if not isinstance(loaded, np.ndarray):
        names = list(loaded.files)
        if len(names) != 1:
            raise _bad(f"holds the arrays {', '.join(names)}; only one can be the mask")
        loaded = loaded[names[0]]
    if loaded.ndim == 4 and loaded.shape[-1] == 1:
        loaded = loaded[..., 0]
    if loaded.ndim != 3:
        raise _bad(f"has the shape {loaded.shape}, not (frames, height, width)")
    _check_count(len(loaded), frames)
    return (_inside(loaded[index], label, f"frame {index}", lossy=False) for index in indices)


def _from_rle(
    data: bytes, indices: Sequence[int], frames: Frames, label: int | None
) -> Iterator[np.ndarray]:
    if label is not None:
        raise _bad(f"COCO RLE has no labels, of which mask_label selects {label}")
    found = json.loads(data)
    if not isinstance(found, list):
        raise _bad("is no JSON list")
    _check_count(len(found), frames)
    empty = np.zeros((frames.height, frames.width), bool)
    return (empty if found[n] is None else masks.decode([found[n]])[0] for n in indices)


def _check_count(count: int, frames: Frames) -> None:
    if count != frames.total:
        raise _bad(
            f"has {count} frames, the video {frames.total}; a mask goes with the frames of the "
            "whole video"
        )


def _in_shape(mask: np.ndarray, frames: Frames) -> np.ndarray:
    """Returns a mask in the size of the pictures, in which players show the frames."""
    if mask.shape == (frames.height, frames.width):
        return mask
    if mask.shape == frames.stored and frames.stored[0] == frames.height:  # not square pixels
        size = frames.width, frames.height
        return cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    raise _bad(
        f"is {mask.shape[1]}×{mask.shape[0]} pixels, the video {frames.width}×{frames.height}"
    )


def _bad(message: str) -> RowError:
    return RowError("BadMask", message)
