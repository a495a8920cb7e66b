"""The MP4 files of an export: edits are encoded, all others are copied without a new encoding."""

import tempfile
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np

from pipelines.errors import RunError
from pipelines.exports.lerobot.edits import Edit
from pipelines.media.encode import count_frames, join_videos
from pipelines.media.video.opening import open_video
from pipelines.rows import Row
from pipelines.storage import Storage

KEYFRAME_EVERY = 2
"""Frames from one keyframe to the next, as LeRobot has: training reads single frames."""
CHUNK = 2**20
TOLERANCE = 1e-4
"""Maximum distance of a frame from its timestamp, as LeRobot has, seconds."""


def write_edits(
    output: Storage, edits: Sequence[tuple[Edit, int]], fps: float, to: Storage, name: str
) -> None:
    """Encode the edited videos of episodes one after the other as one file, in their codec.

    Args:
        output: the run's folder.
        edits: with their number of frames.
        to, name: the file.
    """
    starts = [0, *accumulate(length for _, length in edits)]
    keys = {n for a, b in pairwise(starts) for n in range(a, b, KEYFRAME_EVERY)}

    def videos() -> Iterator[bytes]:
        for edit, length in edits:
            video = read_columns(output, edit, ["edited_video"])["edited_video"]
            shown = count_frames(video)
            if shown != length:
                raise RunError(f"{output}/{edit.file}: an edit has {shown} frames, not {length}")
            yield video

    to.write(name, join_videos(videos(), fps, edits[0][0].codec, keys))


def read_columns(output: Storage, edit: Edit, columns: list[str]) -> Row:
    """Returns columns of an edit's row of the dataset."""
    ((row,),) = output.some_rows(edit.file, columns, [edit.row], 1)
    return row


def copy(source: Storage, name: str, to: Storage, copied: str) -> None:
    """Copy a file, unless the copy is there."""
    size = source.fs.size(source.path(name))
    if to.exists(copied) and to.fs.size(to.path(copied)) == size:
        return
    with source.fs.open(source.path(name), "rb") as file:
        to.write_chunks(copied, iter(lambda: file.read(CHUNK), b""))


def cut(source: Storage, name: str, first: int, length: int, to: Storage, copied: str) -> None:
    """Copy the frames of an episode out of a file, without a new encoding.

    Raises:
        RunError: the episode does not begin with a keyframe.
    """
    with source.fs.open(source.path(name), "rb") as file, av.open(file) as whole:
        stream = whole.streams.video[0]
        times = sorted(packet.pts for packet in whole.demux(stream) if packet.size)
        shown = times[first : first + length]
        whole.seek(0, stream=stream)
        inside = (p for p in whole.demux(stream) if p.size and shown[0] <= p.pts <= shown[-1])
        chosen = list(inside)
        if not chosen[0].is_keyframe or chosen[0].pts != shown[0]:
            raise RunError(
                f"{source}/{name}: frame {first} is no keyframe, the episode cannot be cut out "
                "without a new encoding: export with --version v3.0"
            )
        to.write(copied, _remuxed(stream, chosen, shown[0]))


def _remuxed(stream: Any, packets: Sequence[Any], start: int) -> bytes:
    """Returns packets as an MP4 file.

    Args:
        stream: that the packets are of.
        start: display time of the first frame, in the stream's time base.
    """
    # The muxer reads its own output to move the index to the front, which needs a real file.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "episode.mp4"
        muxing = {"movflags": "+faststart", "fflags": "+bitexact"}
        with av.open(str(path), "w", options=muxing) as container:
            made = container.add_stream_from_template(stream, opaque=True)
            made.time_base = stream.time_base
            for packet in packets:
                packet.pts, packet.dts = packet.pts - start, packet.dts - start
                packet.stream = made
                container.mux(packet)
        return path.read_bytes()


class ReadBack:
    """A video file of the export, as a reader finds it."""

    def __init__(self, to: Storage, name: str) -> None:
        self.name = f"{to}/{name}"
        location = to.fs.unstrip_protocol(to.path(name))
        self._video = open_video(location, to.options)

    def __enter__(self) -> "ReadBack":
        return self

    def __exit__(self, *error: object) -> None:
        self._video.close()

    def check_times(self, first: int, fps: float, timestamps: np.ndarray) -> None:
        """Check that the frames of an episode are found at their timestamps.

        Args:
            first: position in the file of the episode's first frame.
            timestamps: of the episode's frames, float (n,), seconds from its first frame.

        Raises:
            RunError: names the first frame that is not where it should be.
        """
        asked = first / fps + timestamps.astype(np.float64)
        times = self._video.timestamps[first : first + len(asked)]
        times = np.append(times, np.full(len(asked) - len(times), np.inf))
        right = np.abs(times - asked) < TOLERANCE
        if not right.all():
            wrong = int(np.flatnonzero(~right)[0])
            raise RunError(
                f"{self.name}: frame {wrong} of an episode is not found at {asked[wrong]:.6f} s"
            )

    def pictures(self, first: int, length: int) -> Iterator[np.ndarray]:
        """Decode the frames of an episode, uint8 (H, W, 3)."""
        yield from self._video.pictures(np.arange(first, first + length))
