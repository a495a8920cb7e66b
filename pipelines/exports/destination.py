"""The folder of an export: its record, its parts, and the marker that comes last."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pipelines.errors import RunError
from pipelines.reliability.lease import LEASE_FOLDER, Lease
from pipelines.rows import Row
from pipelines.storage import Storage
from pipelines.tables.record import SUCCESS

FOLDER = ".export"
RECORD = f"{FOLDER}/export.json"
PARTS = f"{FOLDER}/parts"


class Destination:
    """A folder on a disk or in an object store that one export is written to, part by part.

    A part is committed by its entries, JSON objects such as the lines of a list of pairs. Parts are
    removed when the export is complete. All files that begin with a dot are passed over by the
    libraries that load datasets.

    Args:
        to: the folder.
        format: name of the format.
        dataset: identity of the dataset, see `PublishedDataset`.
        settings: all that changes the files of the export, as JSON values.
    """

    def __init__(self, to: Storage, format: str, dataset: str, settings: Mapping[str, Any]) -> None:
        self.to = to
        self.record = {"format": format, "dataset": dataset, "settings": dict(settings)}

    def is_complete(self) -> bool:
        """Whether the folder holds this export, complete.

        Raises:
            RunError: the folder holds something else; names what differs.
        """
        if not self.to.exists(RECORD):
            if self.to.files(""):
                raise RunError(
                    f"destination {self.to} has files and is no export: choose an empty folder"
                )
            return False
        held = json.loads(self.to.read(RECORD))
        changed = [
            f"{name}: {held.get(name)} → {value}"
            for name, value in self.record.items()
            if held.get(name) != value
        ]
        if changed:
            raise RunError(
                f"destination {self.to} holds another export ({'; '.join(changed)}): choose "
                "another destination"
            )
        return self.to.exists(SUCCESS)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Lock the folder and record the export; mark it complete when the block ends well.

        Raises:
            RunError: another process writes to the folder.
        """
        with Lease(self.to) as lease:
            if self.to.exists(FOLDER):
                self.to.remove_partial(but=LEASE_FOLDER)
            self.to.write(RECORD, _line(self.record))
            yield
            lease.check()
            self.to.remove(PARTS)
            self.to.write(SUCCESS, b"")
        self.to.remove(LEASE_FOLDER)

    def done(self) -> set[int]:
        """Returns the numbers of the parts that are committed."""
        names = self.to.files(PARTS, ".jsonl")
        return {int(name.removeprefix(f"{PARTS}/").removesuffix(".jsonl")) for name in names}

    def commit(self, number: int, entries: Iterable[Row]) -> None:
        """Commit a part, whose files are written, with its entries."""
        self.to.write(_part_file(number), b"".join(map(_line, entries)))

    def entries(self, parts: int) -> Iterator[Row]:
        """Yields the entries of all parts in order. Holds those of one part."""
        for number in range(parts):
            for line in self.to.read(_part_file(number)).splitlines():
                yield json.loads(line)


def _part_file(number: int) -> str:
    return f"{PARTS}/{number:06d}.jsonl"


def _line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"
