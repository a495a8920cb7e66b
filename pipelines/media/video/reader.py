"""The frames of an open video: their display times, and their pictures.

PyAV decodes every frame first, because only PyAV reports damaged data. Frames that were decoded
before are read with decord where the pictures are identical.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from itertools import chain, dropwhile, groupby
from typing import Any, NamedTuple

import av
import numpy as np

from pipelines.errors import Rejected, RowError
from pipelines.media.video.decoding import decode, decoder
from pipelines.media.video.decord_reader import Decord
from pipelines.media.video.entry_points import is_entry_point
from pipelines.media.video.frame_index import LONGEST_GAP, index_from_container, index_from_packets
from pipelines.media.video.library_errors import row_errors
from pipelines.media.video.picture import Pictures, display_matrix, pixel_aspect
from pipelines.media.video.properties import properties

# Intact files may end with one or two frames that no decoder returns. The frame before replaces
# them. Missing bytes and decoding errors are not tolerated.
TAIL_TOLERANCE = 2


class Video:
    """An open video, created by `open_video`, and a context manager.

    timestamps: float64 (n,), seconds after the first frame, ascending, one per frame
    height, width: pixels of the first frame as shown: rotated, with square pixels
    decoder: what decoded the last frames, "decord" or "pyav"
    properties: what the file states, the columns `schema.PROPERTIES`
    """

    def __init__(self, container: Any, stream: Any, path: str | None, closing: ExitStack) -> None:
        self._container, self._stream, self._closing = container, stream, closing
        self._codec = decoder(stream)
        first = next((frame for frame, _ in decode(self._codec, container.demux(stream))), None)
        if first is None:
            raise RowError("DecodeFailed", "has a video stream that holds no frame")
        self._picture = Pictures(pixel_aspect(stream), display_matrix(first))
        self.height, self.width = self._picture.shape(first.height, first.width)
        self.properties = properties(stream, first)

        # decord reads the whole file anyway.
        index = index_from_container(container, stream, first.pts) if path is None else None
        self._index = index or index_from_packets(container, stream)
        self._keys = list(self._index.keys)
        self.timestamps: np.ndarray = (self._index.ticks - self._index.ticks[0]) * float(
            stream.time_base
        )
        if (np.diff(self.timestamps) > LONGEST_GAP).any():
            raise RowError("DecodeFailed", "is damaged: it has frames days apart; copy it again")

        # State of PyAV decoding: the last frame, and the frames that follow.
        self._position: tuple[_Decoded | None, Iterator[_Decoded]] = None, iter(())
        fast = path is not None and self._picture.is_plain(first) and self._decord_may_be_exact()
        self._fast = Decord(path) if path is not None and fast else None
        self.decoder = "pyav"

    def rate(self, first: int, until: int) -> float:
        """Return the frames a second of the frames from `first` to `until`, exclusive."""
        times = self.timestamps[first:until]
        span, steps = float(times[-1] - times[0]), len(times) - 1
        stated = float(self._stream.average_rate or 0)
        # Timestamps are rounded to ticks.
        if not steps or (stated and abs(steps / stated - span) <= 2 * self._stream.time_base):
            return stated
        return steps / span

    def pictures(self, numbers: Sequence[int] | np.ndarray) -> Iterator[np.ndarray]:
        """Decode the frames at ascending `numbers`, one at a time: uint8 (H, W, 3) RGB.

        Frames after those of the last call are decoded without a seek where possible.

        Raises:
            IndexError: a number is outside 0 … n-1.
            RowError: `DecodeFailed` or `Unreadable`.
        """
        asked = np.asarray(numbers, dtype=np.int64)
        outside = asked[(asked < 0) | (asked >= len(self.timestamps))]
        if outside.size:
            raise IndexError(f"frame {outside[0]} of a video of {len(self.timestamps)} frames")
        for number, repeated in groupby(asked.tolist()):
            picture = self._fast.picture(number) if self._fast else None
            self.decoder = "pyav" if picture is None else "decord"
            if picture is None:
                picture = self._exact_picture(number)
            for _ in repeated:
                yield picture

    def frames(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Decode the frames at `indices`, in any order, to uint8 (k, height, width, 3) RGB.

        Raises:
            IndexError, RowError: as `pictures`.
            Rejected: `SizeChanges`, the frames differ in size.
        """
        wanted, place = np.unique(np.asarray(indices, dtype=np.int64), return_inverse=True)
        if not wanted.size:
            return np.empty((0, self.height, self.width, 3), np.uint8)
        pictures = [*self.pictures(wanted)]
        check_one_size(picture.shape for picture in pictures)
        return np.stack([pictures[at] for at in place])

    def close(self) -> None:
        self._fast = None
        self._closing.close()

    def __enter__(self) -> "Video":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _decord_may_be_exact(self) -> bool:
        """Whether decord decodes files of this kind exactly, if the data is intact.

        decord 0.6.0 returns other frames after a seek in AVI, MPEG-TS and MPEG-PS, cannot mirror
        frames, and selects a stream by itself if there are several.
        """
        exact = self._container.format.name.startswith(("mov", "matroska"))
        exact = exact and not self._index.by_count and len(self._container.streams.video) == 1
        mirrored = np.linalg.det(self._picture.matrix) < 0
        return exact and not mirrored and find_spec("decord") is not None

    def _exact_picture(self, number: int) -> np.ndarray:
        """Decode a frame with PyAV."""
        total, index = len(self.timestamps), self._index
        target = number if index.by_count else int(index.ticks[number])
        frame, following = self._position
        self._position = None, iter(())
        with row_errors(f"frame {number} of {total} cannot be decoded"):
            if frame is None or frame.place >= target or self._key_between(frame.place, target):
                following, frame = self._decode_from_entry(target), None
            for frame in following:
                if frame.place >= target:
                    break
            if frame and frame.damage:
                raise RowError(
                    "DecodeFailed",
                    f"frame {number} of {total} cannot be decoded ({frame.damage}); copy or encode "
                    "the file again",
                )
            missing = frame is None or (frame.place != target and number < total - TAIL_TOLERANCE)
            if frame is None or missing:
                raise RowError("DecodeFailed", f"frame {number} of {total} is not in the data")
            picture = self._picture(frame.frame)
        self._position = frame, following
        if self._fast:
            self._fast.expect(number, picture)
        return picture

    def _key_between(self, place: int, target: int) -> bool:
        return bisect_right(self._keys, place) < bisect_right(self._keys, target)

    def _decode_from_entry(self, target: int) -> "Iterator[_Decoded]":
        """Yield frames in display order from the last entry point at or before `target`."""
        if self._index.by_count:
            yield from self._decode_from_beginning()
            return
        step = int(0.5 / self._stream.time_base) + 1
        place, before = target, int(self._index.ticks[0]) - step
        starts: Callable[[Any], bool] = is_entry_point
        while True:
            packets = self._demux(place)
            key = next(dropwhile(lambda p: p.size and not starts(p), packets))  # noqa: B023
            if key.size and key.pts is not None and key.pts <= target:
                break
            # In an open GOP, the target may follow this keyframe but depend on the previous one.
            if place < before:
                if starts is _is_keyframe:
                    raise RowError("DecodeFailed", "has no keyframe to start decoding from")
                starts = _is_keyframe  # a recording that began between entry points
            place, step = place - step, 2 * step
        # The keyframes between are none to start from.
        self._keys = [tick for tick in self._keys if not key.pts < tick <= target]
        for frame, damage in decode(self._codec, chain([key], packets)):
            # A frame displayed before the keyframe lacks its reference frames.
            if frame.pts is not None and frame.pts >= key.pts:
                yield _Decoded(frame.pts, frame, damage)

    def _decode_from_beginning(self) -> "Iterator[_Decoded]":
        """Yield all frames, numbered in display order."""
        packets = self._demux(0)
        if self._index.keys:
            packets = dropwhile(lambda p: p.size and not p.is_keyframe, packets)
        number, stamps = 0, self._index.stamps
        for frame, damage in decode(self._codec, packets):
            # Frames before the first keyframe of a joined recording cannot be decoded.
            if stamps is not None and frame.pts not in stamps[number : number + 1]:
                continue
            yield _Decoded(number, frame, damage)
            number += 1

    def _demux(self, place: int) -> Iterator[Any]:
        """Yield the packets from the last keyframe before a tick on."""
        try:
            self._container.seek(place, stream=self._stream)
        except av.error.FFmpegError:  # AVI, before its first keyframe
            self._container.seek(0)
        self._codec.flush_buffers()
        packets: Iterator[Any] = self._container.demux(self._stream)
        return packets


class _Decoded(NamedTuple):
    """A decoded frame."""

    place: int
    """The frame's number if the index is by count, else its tick."""
    frame: Any
    damage: str | None


def _is_keyframe(packet: Any) -> bool:
    return bool(packet.is_keyframe)


def check_one_size(shapes: Iterable[tuple[int, ...]]) -> None:
    """Refuse pictures of different sizes.

    Args:
        shapes: (H, W, 3) of each picture.

    Raises:
        Rejected: `SizeChanges`.
    """
    sizes = dict.fromkeys(f"{shape[1]}×{shape[0]}" for shape in shapes)
    if len(sizes) > 1:
        raise Rejected("SizeChanges", f"the picture changes its size: {', '.join(sizes)}")
