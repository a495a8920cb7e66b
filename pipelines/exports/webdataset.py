"""The format `webdataset`: tar shards with source, target and metadata of each edit.

The bytes of a shard depend on its content alone: members are in the dataset's order, and have no
time and no owner.
"""

import io
import json
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence

import pyarrow as pa

from pipelines.exports import described
from pipelines.exports.videos import plain_name
from pipelines.rows import Row
from pipelines.storage import Storage

MEGABYTE = 2**20
SIZES = "sizes.json"


class WebDataset:
    """Writes `00000.tar` … and `sizes.json`, the number of samples of each shard.

    A sample has three members: ID.source.mp4, ID.target.mp4 and ID.json, with the instruction and
    the way back.

    Args:
        shard_mb: approximate size of a shard, megabytes; at least that of a row group.
    """

    name = "webdataset"

    def __init__(self, shard_mb: float = 512) -> None:
        self.settings = {"shard_mb": shard_mb}
        self.part_bytes = int(shard_mb * MEGABYTE)

    def columns(self, schema: pa.Schema) -> Sequence[str]:
        """See `Format`."""
        return ["source_video", "edited_video", *described.columns(schema)]

    def write_part(self, to: Storage, number: int, edits: Iterable[Row]) -> Iterator[Row]:
        """See `Format`. A part is a shard."""
        shard = Shard()
        name = f"{number:05d}.tar"
        to.write_chunks(name, shard.chunks(edits))
        yield {"shard": name, "samples": shard.samples}

    def finish(self, to: Storage, entries: Callable[[], Iterator[Row]]) -> None:
        """See `Format`."""
        sizes = {entry["shard"]: entry["samples"] for entry in entries()}
        to.write(SIZES, json.dumps(sizes, indent=2).encode())


class Shard:
    """A tar file that is made sample by sample, and counts its samples."""

    def __init__(self) -> None:
        self.samples = 0

    def chunks(self, edits: Iterable[Row]) -> Iterator[bytes]:
        """Yields the bytes of the file. Holds those of one sample."""
        text = io.BytesIO()
        with tarfile.open(fileobj=text, mode="w|", format=tarfile.USTAR_FORMAT) as tar:
            for edit in edits:
                for name, data in _members(edit):
                    info = tarfile.TarInfo(name)
                    info.size = len(data)
                    tar.addfile(info, io.BytesIO(data))
                self.samples += 1
                yield _taken(text)
        yield _taken(text)


def _members(edit: Row) -> Iterator[tuple[str, bytes]]:
    key = plain_name(edit["row_id"])
    source, target = edit.pop("source_video"), edit.pop("edited_video")
    names = {"source_file": f"{key}.source.mp4", "edited_file": f"{key}.target.mp4"}
    (told,) = described.described(edit | names, 1, inverse=False)
    yield names["source_file"], source
    yield names["edited_file"], target
    yield f"{key}.json", json.dumps(told, ensure_ascii=False).encode()


def _taken(text: io.BytesIO) -> bytes:
    data = text.getvalue()
    text.seek(0)
    text.truncate()
    return data
