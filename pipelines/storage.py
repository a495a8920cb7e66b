"""Access to files on a local disk or in an object store."""

import os
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Any
from urllib.parse import unquote, urlsplit

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

from pipelines.errors import InputError
from strmatch.weights.remote import is_remote

FILES_AT_ONCE = 64
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}")
_ONE_SLASH = re.compile(r"([A-Za-z][\w+.-]+):/(?!/)")


def address(text: str, what: str) -> str:
    """Return an address as a person writes one, as an absolute path or a URI.

    "~" is the home folder. A URI of the scheme file is a path, in which "%20" is a space.

    Args:
        what: is addressed, for messages.

    Raises:
        InputError: the address is empty, or lacks a slash of "s3://".
    """
    if not text.strip():
        raise InputError(f"{what}: the address is empty")
    if text.startswith("file:"):
        path = urlsplit(text).path
        return path if os.path.exists(path) else unquote(path)
    scheme = _ONE_SLASH.match(text)
    if scheme and scheme[1] in fsspec.available_protocols():
        raise InputError(f"{what} {text}: write {scheme[1]}://")
    return text if is_remote(text) else os.path.abspath(os.path.expanduser(text))


def filesystem(uri: str, options: Mapping[str, Any]) -> tuple[fsspec.AbstractFileSystem, str]:
    """Return the fsspec filesystem of a path or URI, and the path within the filesystem.

    "::" in a name is no chain of filesystems. `options` are passed to remote filesystems only.
    """
    protocol = uri.partition("://")[0] if is_remote(uri) else "file"
    if "::" in protocol:  # simplecache::s3://…
        return fsspec.url_to_fs(uri, **options)
    kind = fsspec.get_filesystem_class(protocol)
    given = {} if protocol in ("file", "local") else kind._get_kwargs_from_urls(uri) | {**options}
    fs = fsspec.filesystem(protocol, **given)
    return fs, fs._strip_protocol(uri)


class Storage:
    """A folder on a disk or under any fsspec URI. Pickles as its URI and options.

    Args:
        uri: see `address`.
        options: passed to fsspec (credentials, endpoint …).
    """

    def __init__(self, uri: str, options: Mapping[str, Any] | None = None) -> None:
        self.uri = address(uri, "output")
        self.options = dict(options or {})

    def __getstate__(self) -> dict[str, Any]:
        return {"uri": self.uri, "options": self.options}

    def __str__(self) -> str:
        return self.uri

    @cached_property
    def fs(self) -> fsspec.AbstractFileSystem:
        return filesystem(self.uri, self.options)[0]

    @cached_property
    def root(self) -> str:
        return str(self.fs._strip_protocol(self.uri)).rstrip("/")

    @cached_property
    def arrow(self) -> pyarrow.fs.FileSystem:
        return pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(self.fs))

    def path(self, name: str) -> str:
        """Return the path of `name` below the root, in the form that the filesystem requires."""
        return f"{self.root}/{name}" if name else self.root

    def exists(self, name: str = "") -> bool:
        return self.fs.exists(self.path(name))

    def files(self, folder: str, suffix: str = "") -> list[str]:
        """Return the sorted names, relative to the root, of the files in `folder`.

        The list is empty if the folder does not exist.
        """
        return list(self.sizes(folder, suffix))

    def sizes(self, folder: str, suffix: str = "") -> dict[str, int]:
        """Return the names as `files` does, each with the size of the file in bytes."""
        try:
            listed = sorted(self._list(folder, suffix))
        except FileNotFoundError:
            return {}
        return dict(listed)

    def _list(self, folder: str, suffix: str) -> Iterator[tuple[str, int]]:
        if isinstance(self.fs, LocalFileSystem):
            # The listing of fsspec needs about a kilobyte of memory per file.
            with os.scandir(self.path(folder)) as entries:
                for entry in entries:
                    if entry.name.endswith(suffix) and not entry.name.startswith("."):
                        yield f"{folder}/{entry.name}", entry.stat().st_size
            return
        self.fs.invalidate_cache()
        for found in self.fs.ls(self.path(folder), detail=True):
            name = str(found["name"]).rsplit("/", 1)[-1]
            if name.endswith(suffix) and not name.startswith("."):
                yield f"{folder}/{name}", found["size"] or 0

    def find(self, folder: str, suffix: str) -> list[str]:
        """Return the names as `files` does, including those in subfolders of `folder`."""
        self.fs.invalidate_cache()
        found = (path[len(self.root) + 1 :] for path in self.fs.find(self.path(folder)))
        return sorted(name for name in found if name.endswith(suffix) and "/." not in name)

    def read(self, name: str) -> bytes:
        return self.fs.cat_file(self.path(name))

    def write(self, name: str, data: bytes) -> None:
        """Write a file atomically, replacing an existing file.

        Uses a temporary file and a rename on a disk, and one request on an object store.
        """
        path = self.path(name)
        if not isinstance(self.fs, LocalFileSystem):
            self.fs.pipe_file(path, data)
            return
        with _beside(path, [data]) as temporary:
            os.replace(temporary, path)

    def write_chunks(self, name: str, chunks: Iterable[bytes]) -> None:
        """Write a file of any size, replacing an existing file. Holds one chunk at a time.

        On a disk the write is atomic.
        """
        path = self.path(name)
        if not isinstance(self.fs, LocalFileSystem):
            with self.fs.open(path, "wb") as file:
                for chunk in chunks:
                    file.write(chunk)
            return
        with _beside(path, chunks) as temporary:
            os.replace(temporary, path)

    def create(self, name: str, data: bytes) -> None:
        """Create a file atomically. Among concurrent writers, exactly one succeeds.

        Raises:
            FileExistsError: the file exists.
        """
        path = self.path(name)
        if isinstance(self.fs, LocalFileSystem):
            with _beside(path, [data]) as temporary:
                os.link(temporary, path)
            return
        try:
            self.fs.pipe_file(path, data, mode="create")
        except OSError as error:
            self.fs.invalidate_cache()
            if self.fs.exists(path):
                raise FileExistsError(path) from error
            raise

    def remove(self, name: str) -> None:
        """Delete a file or a folder if it exists."""
        if self.exists(name):
            self.fs.rm(self.path(name), recursive=True)

    def remove_empty_root(self) -> None:
        """Delete the root folder of a local storage if it is empty."""
        if isinstance(self.fs, LocalFileSystem):
            with suppress(OSError):
                os.rmdir(self.root)

    def remove_partial(self, but: str) -> None:
        """Delete the temporary files of writers that were killed, which are only on disks.

        Args:
            but: a folder below the root in which others may be writing.
        """
        if not isinstance(self.fs, LocalFileSystem):
            return
        for folder, folders, names in os.walk(self.root):
            if folder == self.root:
                folders[:] = [name for name in folders if name != but]
            for name in filter(_TEMPORARY.fullmatch, names):
                os.remove(os.path.join(folder, name))

    def write_table(self, name: str, table: pa.Table, row_group_size: int | None = None) -> None:
        """Write a table atomically as one Parquet file with an index of its pages."""
        sink = pa.BufferOutputStream()
        pq.write_table(
            table, sink, compression="zstd", row_group_size=row_group_size, write_page_index=True
        )
        self.write(name, sink.getvalue().to_pybytes())

    def commit_table(
        self, name: str, table: pa.Table, row_group_size: int | None = None
    ) -> str | None:
        """Write a table as `write_table` does. Returns an error message on failure, else None."""
        try:
            self.write_table(name, table, row_group_size)
        except Exception as error:  # object stores have exceptions of their own
            return f"{self.path(name)} cannot be written: {error}"
        return None

    def read_table(
        self, name: str, columns: list[str] | None = None, filters: Any = None
    ) -> pa.Table:
        """Read one Parquet file.

        Raises:
            pa.ArrowException, OSError: the file cannot be read; the message names the file.
        """
        with self._naming(name):
            return pq.read_table(
                self.path(name), columns=columns, filters=filters, filesystem=self.arrow
            )

    def read_folder(
        self, folder: str, columns: list[str], schema: pa.Schema | None = None
    ) -> pa.Table | None:
        """Read all Parquet files of a folder as one table; None if the folder has none.

        The column `file` holds the name of the file of each row. A column of `schema` that a file
        lacks is null.
        """
        tables: list[pa.Table] = []
        every = self.files(folder, ".parquet")
        for start in range(0, len(every), FILES_AT_ONCE):
            names = every[start : start + FILES_AT_ONCE]
            read = [self._read_columns(name, columns, schema) for name in names]
            files = np.repeat(np.array(names, object), [len(table) for table in read])
            # Many small chunks take far more memory than their content.
            some = pa.concat_tables(read).append_column("file", pa.array(files, pa.string()))
            tables.append(some.combine_chunks())
        return pa.concat_tables(tables) if tables else None

    def _read_columns(self, name: str, columns: list[str], schema: pa.Schema | None) -> pa.Table:
        try:
            return self.read_table(name, columns)
        except pa.ArrowInvalid:
            if schema is None:
                raise
        there = self.read_schema(name).names
        table = self.read_table(name, [column for column in columns if column in there])
        for field in schema:
            if field.name not in there:
                table = table.append_column(field, pa.nulls(len(table), field.type))
        return table.select(columns)

    def some_rows(
        self, name: str, columns: list[str], places: Iterable[int], at_once: int
    ) -> Iterator[list[dict[str, Any]]]:
        """Yield the rows of one Parquet file at `places`, in order, at most `at_once` per list.

        Row groups without selected rows are not read.
        """
        wanted = np.array(sorted(places), int)
        with self.arrow.open_input_file(self.path(name)) as file:
            parquet, first = pq.ParquetFile(file), 0
            for group in range(parquet.num_row_groups):
                rows = parquet.metadata.row_group(group).num_rows
                if not _within(wanted, first, rows).size:
                    first += rows
                    continue
                for batch in parquet.iter_batches(at_once, [group], columns):
                    here = _within(wanted, first, len(batch))
                    first += len(batch)
                    if here.size:
                        yield batch.take(pa.array(here)).to_pylist()

    def read_schema(self, name: str) -> pa.Schema:
        """Return the schema of one Parquet file."""
        with self._naming(name):
            return pq.read_schema(self.path(name), filesystem=self.arrow)

    @contextmanager
    def _naming(self, name: str) -> Iterator[None]:
        """Name a file in the errors of the block, as far as they do not."""
        path = self.path(name)
        try:
            yield
        except (pa.ArrowException, OSError) as error:
            # Subclasses of OSError have a path of their own.
            if path in str(error) or (isinstance(error, OSError) and type(error) is not OSError):
                raise
            raise type(error)(f"{path} cannot be read: {error}") from error


def _within(places: np.ndarray, first: int, rows: int) -> np.ndarray:
    """Return the sorted `places` in a span of rows, relative to the start of the span."""
    return places[np.searchsorted(places, first) : np.searchsorted(places, first + rows)] - first


@contextmanager
def _beside(path: str, chunks: Iterable[bytes]) -> Iterator[str]:
    """Write chunks of bytes to a temporary file in the folder of `path`, synchronised to disk.

    Yields the path of the temporary file, which is removed on exit.
    """
    folder, base = os.path.split(path)
    os.makedirs(folder, exist_ok=True)
    temporary = os.path.join(folder, f".{base}.{uuid.uuid4().hex[:8]}")
    try:
        with open(temporary, "wb") as file:
            file.writelines(chunks)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        with suppress(FileNotFoundError):
            os.remove(temporary)
