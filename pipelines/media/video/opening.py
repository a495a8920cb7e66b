"""Open a video of any format, on a disk or in a store."""

import os
import stat
from contextlib import ExitStack
from typing import Any

import av
from fsspec.implementations.local import LocalFileSystem

from pipelines.errors import RowError
from pipelines.media.video.container import check_whole, declared_size, truncated
from pipelines.media.video.library_errors import one_line, row_errors
from pipelines.media.video.reader import Video
from pipelines.storage import filesystem
from strmatch.weights.remote import is_remote

# Other formats (pictures, playlists that name other files, ANSI text) are not accepted as videos.
FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,mxf,ivf,gif,yuv4mpegpipe"
)
# Bytes per request. The default of s3fs is 50 MB for each seek.
SMALLEST_BLOCK, LARGEST_BLOCK, BLOCKS_OF_FILE = 2**16, 2**20, 32


def open_video(uri: str, storage_options: dict[str, Any] | None = None) -> Video:
    """Open the video at `uri`, a local path or any fsspec URI with its `storage_options`.

    A missing end cannot be detected in MPEG-TS, MPEG-PS, FLV and Ogg, which declare no length.

    Raises:
        RowError: `FileMissing`, `Unreadable`, `EmptyFile`, `NotAVideo`, `NoVideoStream`,
            `Truncated` (fewer bytes or frames than the container declares) or `DecodeFailed`.
    """
    with ExitStack() as closing, row_errors("cannot be opened"):
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
                cause = f"is a damaged {family} file ({one_line(error)}); copy or encode it again"
                raise RowError("DecodeFailed", cause) from error
            raise RowError("NotAVideo", "is not a video: no known container format") from error
        cover = av.stream.Disposition.attached_pic
        streams = [s for s in container.streams.video if not s.disposition & cover]
        if streams:
            # A file may hold a proxy beside the main stream.
            default = av.stream.Disposition.default
            stream = max(streams, key=lambda s: (bool(s.disposition & default), _area(s)))
        else:
            if declared > size:
                raise truncated(size, declared)
            held = ", ".join(sorted({s.type for s in container.streams} - {"video"})) or "data"
            raise RowError("NoVideoStream", f"holds {held} but no video stream")
        check_whole(container, stream, size, declared)
        if stream.codec_context is None:
            raise RowError("DecodeFailed", "has a codec that PyAV cannot decode; encode it again")
        video = Video(container, stream, path, closing)
        video._closing = closing.pop_all()
    return video


def _area(stream: Any) -> int:
    """Return the pixels of a frame; 0 of an unknown codec."""
    return stream.width * stream.height if stream.codec_context else 0


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
            fs, path = filesystem(uri, storage_options)
            if not isinstance(fs, LocalFileSystem):
                share = (fs.size(path) or 0) // BLOCKS_OF_FILE
                block = min(max(share, SMALLEST_BLOCK), LARGEST_BLOCK)
                return fs.open(path, "rb", block_size=block), None
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
        cause = f"cannot be read ({one_line(error)}); check permissions and credentials"
        raise RowError("Unreadable", cause) from error
