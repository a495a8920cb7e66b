"""Open a video of any format, read its frame timestamps, and decode selected frames.

PyAV inspects every file first: its streams, missing bytes, and the timestamps of its frames.
decord decodes where it is exact, and PyAV elsewhere. Both give the same pictures.
"""

import errno
import os
import re
import stat
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from io import BytesIO
from itertools import chain, dropwhile
from typing import Any

import av
import numpy as np

from pipelines.errors import RowError
from pipelines.media.container import (
    check_whole,
    declared_size,
    index_from_container,
    index_from_packets,
    truncated,
)
from strmatch.weights.remote import is_remote

# Other formats (pictures, playlists that name other files, ANSI text) are not accepted as videos.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,mxf,ivf,gif"
# Intact files may end with one or two frames that no decoder returns. The frame before replaces
# them. Missing bytes and decoding errors are not tolerated.
TAIL_TOLERANCE = 2
# Bytes per request. The default of s3fs is 50 MB for each seek.
SMALLEST_BLOCK, LARGEST_BLOCK, BLOCKS_OF_FILE = 2**16, 2**20, 32
LONGEST_GAP = 86400.0  # seconds; larger gaps from damaged timestamps make decord abort the process


class Video:
    """An open video, created by `open_video`, and a context manager.

    timestamps: float64 (n,), seconds after the first frame, ascending, one per frame
    fps: frames a second, averaged over the file (0.0 if undetermined)
    height, width: pixels of the frames as shown (rotation applied, pixel aspect ratio not)
    decoder: "decord" or "pyav"
    """

    def __init__(self, container: Any, stream: Any, path: str | None, closing: ExitStack) -> None:
        self._container, self._stream, self._closing = container, stream, closing
        first = next(container.decode(stream), None)
        if first is None:
            raise RowError("DecodeFailed", "has a video stream that holds no frame")
        self._coded_size = (first.height, first.width)
        self._matrix = _display_matrix(first)
        self.height, self.width = _as_shown(np.empty(self._coded_size), self._matrix).shape

        if find_spec("decord") is None:
            path = None
        # decord reads the whole file anyway, and requires packet times to detect open GOPs.
        index = index_from_container(container, stream, first.pts) if path is None else None
        self._index = index or index_from_packets(container, stream)
        ticks, rate = self._index.ticks, float(stream.average_rate or 0)
        tick = 1 / (rate or 25) if self._index.by_count else float(stream.time_base)
        self.timestamps: np.ndarray = (ticks - ticks[0]) * tick
        if (np.diff(self.timestamps) > LONGEST_GAP).any():
            raise RowError("DecodeFailed", "is damaged: it has frames days apart; copy it again")
        self.fps = _average_rate(self.timestamps, rate, tick)

        # State of PyAV decoding: tick of the last frame, the frame, and the following frames.
        self._position: tuple[int | None, Any, Iterator[tuple[int, Any]]] | None = None
        self._reader = self._open_decord(path) if path is not None else None
        self.decoder = "pyav" if self._reader is None else "decord"

    def frames(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Decode the frames at `indices` to uint8 (k, height, width, 3) RGB.

        Indices may be in any order and repeat. Frames after those of the last call are decoded
        without a seek where possible.

        Raises:
            IndexError: an index is outside 0 … n-1.
            RowError: `DecodeFailed` or `Unreadable`.
        """
        asked = np.asarray(indices, dtype=np.int64)
        outside = asked[(asked < 0) | (asked >= len(self.timestamps))]
        if outside.size:
            raise IndexError(f"frame {outside[0]} of a video of {len(self.timestamps)} frames")
        if not asked.size:
            return np.empty((0, self.height, self.width, 3), np.uint8)
        wanted, place = np.unique(asked, return_inverse=True)
        pictures = self._decord_frames(wanted)
        if pictures is None:
            pictures = np.stack([*self._pyav_frames(wanted)])
        return pictures if np.array_equal(asked, wanted) else pictures[place]

    def close(self) -> None:
        self._reader = None
        self._closing.close()

    def __enter__(self) -> "Video":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _open_decord(self, path: str) -> Any:
        """Return a decord reader for files that decord decodes exactly, else None.

        decord 0.6.0 returns wrong frames without an error after a seek in an open GOP (the default
        of x265), and in AVI, MPEG-TS and MPEG-PS. It cannot mirror frames, and selects a stream
        by itself if there are several.
        """
        exact = self._container.format.name.startswith(("mov", "matroska"))
        exact = exact and not (self._index.leading or self._index.by_count)
        mirrored = np.linalg.det(self._matrix) < 0
        if not exact or mirrored or len(self._container.streams.video) > 1:
            return None
        try:
            import decord

            decord.logging.set_level(decord.logging.QUIET)
            # "file:" keeps a name such as "take:2.mp4" from being read as a protocol.
            reader = decord.VideoReader("file:" + os.path.abspath(path), num_threads=1)
        except Exception:  # AV1 or a broken installation: fall back to PyAV
            return None
        return reader if len(reader) == len(self.timestamps) else None

    def _decord_frames(self, wanted: np.ndarray) -> np.ndarray | None:
        """Decode ascending `wanted` with decord. On failure, return None and switch to PyAV."""
        if self._reader is None:
            return None
        try:
            pictures: np.ndarray = self._reader.get_batch(wanted.tolist()).asnumpy()
            if pictures.shape == (len(wanted), self.height, self.width, 3):
                return pictures
        except Exception:  # PyAV decodes the frames or raises an error with the cause
            pass
        self._reader, self.decoder = None, "pyav"
        return None

    def _pyav_frames(self, wanted: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the pictures uint8 (height, width, 3) at ascending `wanted`, decoded with PyAV."""
        ticks, keys, total = self._index.ticks, self._index.keys, len(self.timestamps)
        tick, frame, decoded = self._position or (None, None, iter(()))
        self._position = None
        for number in wanted.tolist():
            target = int(ticks[number])
            with _row_errors(f"frame {number} of {total} cannot be decoded"):
                if (
                    tick is None
                    or tick >= target
                    or bisect_right(keys, tick) < bisect_right(keys, target)
                ):
                    decoded, frame = self._decode_from_key(target), None
                for tick, frame in decoded:  # noqa: B007
                    if tick >= target:
                        break
                if frame is None or (tick != target and number < total - TAIL_TOLERANCE):
                    raise RowError("DecodeFailed", f"frame {number} of {total} is not in the data")
                height, width = (
                    self._coded_size
                )  # of the first frame; the size may change within a file
                picture = frame.to_ndarray(format="rgb24", height=height, width=width, threads=1)
            yield _as_shown(picture, self._matrix)
        self._position = tick, frame, decoded

    def _decode_from_key(self, target: int) -> Iterator[tuple[int, Any]]:
        """Yield (tick, frame) from the last keyframe at or before `target`, in display order."""
        stream, by_count = self._stream, self._index.by_count
        place, step = target, int(0.5 / stream.time_base) + 1
        before = int(self._index.ticks[0]) - step
        while True:
            try:
                self._container.seek(0 if by_count else place, stream=stream)
            except av.error.FFmpegError:  # AVI, before its first keyframe
                self._container.seek(0)
            packets = self._container.demux(stream)
            key = next(dropwhile(lambda p: p.size and not p.is_keyframe, packets))
            if by_count or (key.size and key.pts is not None and key.pts <= target):
                break
            # In an open GOP, the target may follow this keyframe but depend on the previous one.
            if place < before:
                raise RowError("DecodeFailed", "has no keyframe to start decoding from")
            place, step = place - step, 2 * step
        frames = (frame for packet in chain([key], packets) for frame in packet.decode())
        if by_count:
            yield from enumerate(frames)
        for frame in frames:
            # A frame displayed before the keyframe lacks its reference frames.
            if frame.pts is not None and frame.pts >= key.pts and not frame.is_corrupt:
                yield frame.pts, frame


def open_video(uri: str, storage_options: dict[str, Any] | None = None) -> Video:
    """Open the video at `uri`, a local path or any fsspec URI with its `storage_options`.

    A missing end cannot be detected in MPEG-TS, MPEG-PS, FLV and Ogg, which declare no length.

    Raises:
        RowError: `FileMissing`, `Unreadable`, `EmptyFile`, `NotAVideo`, `NoVideoStream`,
            `Truncated` (fewer bytes or frames than the container declares) or `DecodeFailed`.
    """
    with ExitStack() as closing, _row_errors("cannot be opened"):
        file, path = _open_file(uri, storage_options or {})
        closing.callback(file.close)
        size = file.seek(0, os.SEEK_END)
        if not size:
            raise RowError("EmptyFile", "is empty (0 bytes); copy it again")
        family, declared = declared_size(file, size)
        file.seek(0)
        try:
            source = file if path is not None else _FailOnce(file)
            container = closing.enter_context(
                av.open(source, "r", options={"format_whitelist": FORMATS})
            )
        except av.error.FFmpegError as error:
            if declared > size:
                raise truncated(size, declared) from error
            if family:
                cause = f"is a damaged {family} file ({_cause(error)}); copy or encode it again"
                raise RowError("DecodeFailed", cause) from error
            raise RowError("NotAVideo", "is not a video: no known container format") from error
        cover = av.stream.Disposition.attached_pic
        streams = [s for s in container.streams.video if not s.disposition & cover]
        if not streams:
            if declared > size:
                raise truncated(size, declared)
            held = ", ".join(sorted({s.type for s in container.streams} - {"video"})) or "data"
            raise RowError("NoVideoStream", f"holds {held} but no video stream")
        check_whole(container, streams[0], size, declared)
        if streams[0].codec_context is None:
            raise RowError("DecodeFailed", "has a codec that PyAV cannot decode; encode it again")
        streams[0].codec_context.thread_count = 1  # each row is scheduled on one CPU
        video = Video(container, streams[0], path, closing)
        video._closing = closing.pop_all()
    return video


def decode_video(data: bytes) -> np.ndarray:
    """Decode every frame of a clip written by `encode_video` to uint8 (f, H, W, 3) RGB.

    Raises:
        RowError: `DecodeFailed`.
    """
    with _row_errors("the clip cannot be decoded"), av.open(BytesIO(data)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        frames = np.stack(
            [f.to_ndarray(format="rgb24", threads=1) for f in container.decode(video=0)]
        )
    return frames


class _FailOnce:
    """A file that returns end of file after a failed read.

    PyAV prints a traceback for each further error.
    """

    def __init__(self, file: Any) -> None:
        self._file, self._failed = file, False
        self.seek, self.tell = file.seek, file.tell

    def read(self, count: int) -> bytes:
        if self._failed:
            return b""
        try:
            data: bytes = self._file.read(count)
            return data
        except Exception:
            self._failed = True
            raise


def _open_file(uri: str, storage_options: dict[str, Any]) -> tuple[Any, str | None]:
    """Open a file. Returns the file, and its path if the file is local, else None."""
    try:
        if is_remote(uri):
            from fsspec.core import url_to_fs
            from fsspec.implementations.local import LocalFileSystem

            filesystem, path = url_to_fs(uri, **storage_options)
            if not isinstance(filesystem, LocalFileSystem):
                share = (filesystem.size(path) or 0) // BLOCKS_OF_FILE
                block = min(max(share, SMALLEST_BLOCK), LARGEST_BLOCK)
                return filesystem.open(path, "rb", block_size=block), None
            uri = path
        if not stat.S_ISREG(os.stat(uri).st_mode):  # opening a pipe would block
            raise RowError("Unreadable", "is a folder or a device; list the files themselves")
        return open(uri, "rb"), uri
    except (FileNotFoundError, NotADirectoryError) as error:
        cause = "does not exist; check the address, and that every worker can see it"
        raise RowError("FileMissing", cause) from error
    except RowError:
        raise
    except Exception as error:
        cause = f"cannot be read ({_cause(error)}); check permissions and credentials"
        raise RowError("Unreadable", cause) from error


@contextmanager
def _row_errors(what: str) -> Iterator[None]:
    """Convert any exception of a library to a `RowError` with a message of one line."""
    try:
        yield
    except RowError:
        raise
    except Exception as error:
        unreadable = isinstance(error, OSError) and not isinstance(error, av.error.FFmpegError)
        # EINVAL comes from a seek to an invalid position, caused by a damaged header.
        unreadable = unreadable and getattr(error, "errno", None) != errno.EINVAL
        cause = f"{what} ({_cause(error)}); copy or encode the file again"
        raise RowError("Unreadable" if unreadable else "DecodeFailed", cause) from error


def _cause(error: Exception) -> str:
    """Return the first line of an error, without URL queries, which may hold a signature."""
    text = getattr(error, "strerror", None) or str(error)
    line = next(iter(text.splitlines()), "")[:200]
    return f"{type(error).__name__}: " + re.sub(r"[?]\S+", "?...", line)


def _average_rate(timestamps: np.ndarray, stated: float, tick: float) -> float:
    """Return the stated frame rate if it agrees with the timestamps, else their average rate."""
    span, steps = float(timestamps[-1]), len(timestamps) - 1
    if not steps or (stated and abs(steps / stated - span) <= 2 * tick):
        return stated
    return steps / span


def _display_matrix(frame: Any) -> np.ndarray:
    """Return the (2, 2) matrix that maps stored (x, y), as a row vector, to displayed (x, y)."""
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return np.eye(2)
    return np.frombuffer(bytes(data), np.int32).reshape(3, 3)[:2, :2] / 2**16


def _as_shown(picture: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Rotate a picture (H, W, ...) by quarter turns and mirror it, as given by `matrix`."""
    (xx, xy), (yx, yy) = matrix
    across, down = xx, yy
    if abs(xy) > abs(xx):
        picture, across, down = picture.swapaxes(0, 1), yx, xy
    return picture[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1]
