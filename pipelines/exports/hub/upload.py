"""The export to a dataset repository of the Hugging Face Hub.

Files are sent first, each once: the Hub knows them by their hashes. One commit then makes the whole
dataset visible, so that a repository never holds a part of it.
"""

import hashlib
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, partial
from typing import Any, TypeVar

from fsspec.implementations.local import LocalFileSystem
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    RepoFile,
    constants,
)
from huggingface_hub.errors import HfHubHTTPError

from pipelines.errors import RunError
from pipelines.exports.edits import FOLDER, PublishedDataset
from pipelines.exports.hub.card import card_for_hub, is_ours
from pipelines.publishing.card import CARD
from pipelines.rows import Row
from strmatch.weights.hub import QUERY

log = logging.getLogger(__name__)

REPORT = "report"
ATTEMPTS = 8
LONGEST_WAIT = 60.0
"""Seconds between two attempts, at most."""
FILES_AT_ONCE, BYTES_AT_ONCE = 64, 2**30
"""Files that are sent together, at most, and their bytes. Meanwhile, files of an object store are
on the disk of this machine."""
MADE_BY_THE_HUB = {".gitattributes", CARD}
"""The files of a repository that a person has made on the Hub's pages."""
CHUNK = 2**22
KIND: Any = "dataset"
T = TypeVar("T")


class HubExport:
    """A published dataset with its card and, if asked for, its report, in a repository.

    Args:
        dataset: to export.
        repository: owner/name.
        revision: branch, which is made if it does not exist.
        report: whether the report page belongs to the export.
        token: of an account that may write.
    """

    def __init__(
        self,
        dataset: PublishedDataset,
        repository: str,
        revision: str = constants.DEFAULT_REVISION,
        report: bool = False,
        token: str | None = None,
    ) -> None:
        self.output = dataset.output
        self.dataset = dataset
        self.repository = repository
        self.revision = revision
        self.report = report
        self.api = HfApi(token=token or False)
        self.commit: str | None = None
        self._hashes: dict[str, str] = {}
        self._committing = False

    @cached_property
    def card(self) -> bytes:
        return card_for_hub(self.dataset, self.repository)

    @cached_property
    def files(self) -> dict[str, int]:
        """The files of the export by name, each with its size in bytes."""
        names = list(dict.fromkeys(group.file for group in self.dataset.row_groups))
        if self.report:
            names += self.output.find(REPORT, "")
        folders = dict.fromkeys(name.rpartition("/")[0] for name in names)
        sizes = {name: size for each in folders for name, size in self.output.sizes(each).items()}
        return {name: sizes[name] for name in names} | {CARD: len(self.card)}

    def upload(self, private: bool) -> Iterator[Row]:
        """Upload what the repository lacks; yields a row for every file that was sent.

        Requests that fail by the network or the server are repeated. `commit` is the commit that
        was made, None if the repository held the export before.

        Args:
            private: whether a new repository is private.

        Raises:
            RunError: the Hub refuses the repository or does not answer, or the repository holds a
                dataset that another program wrote.
        """
        self._repeated(partial(self._make_repository, private))
        there = self._repeated(self._files_there)
        self._repeated(partial(self._refuse_foreign, there))
        lacking, obsolete = self._differences(there)
        if not lacking and not obsolete:
            return
        operations: list[CommitOperationAdd | CommitOperationDelete] = []
        for names in self._together(lacking):
            operations += self._repeated(partial(self._send, names))
            yield from ({"file": name, "bytes": self.files[name]} for name in names)
        operations += [CommitOperationDelete(name) for name in obsolete]
        self.commit = self._repeated(partial(self._make_commit, operations))

    def _repeated(self, request: Callable[[], T]) -> T:
        """Returns the result of requests, repeated while another attempt may succeed."""
        for attempt in range(ATTEMPTS):
            try:
                return request()
            except Exception as error:
                if isinstance(error, RunError):
                    raise
                reason = self._explained(error)
                if not _may_pass(error) or attempt + 1 == ATTEMPTS:
                    raise RunError(reason) from error
                wait = min(2.0**attempt, LONGEST_WAIT)
                log.warning("%s; again in %g s", reason, wait)
                time.sleep(wait)
        raise AssertionError

    def _make_repository(self, private: bool) -> None:
        self.api.create_repo(self.repository, repo_type=KIND, private=private, exist_ok=True)
        if self.revision != constants.DEFAULT_REVISION:
            self.api.create_branch(
                self.repository, branch=self.revision, repo_type=KIND, exist_ok=True
            )

    def _make_commit(self, operations: list[CommitOperationAdd | CommitOperationDelete]) -> str:
        """Returns the commit. One that was made although its answer was lost is not repeated."""
        if self._committing and self._differences(self._files_there()) == ([], []):
            info = self.api.repo_info(self.repository, repo_type=KIND, revision=self.revision)
            return str(info.sha)
        self._committing = True
        return self.api.create_commit(
            self.repository,
            operations,
            commit_message=f"Publish dataset {self.dataset.identity}",
            repo_type=KIND,
            revision=self.revision,
        ).oid

    def _differences(self, there: Mapping[str, RepoFile]) -> tuple[list[str], list[str]]:
        """Returns the files that a repository lacks, and those of an earlier export."""
        lacking = [name for name in self.files if not self._is_there(name, there.get(name))]
        folders = (f"{FOLDER}/", f"{REPORT}/") if self.report else (f"{FOLDER}/",)
        obsolete = [name for name in there if name.startswith(folders) and name not in self.files]
        return lacking, obsolete

    def _files_there(self) -> dict[str, RepoFile]:
        listed = self.api.list_repo_tree(
            self.repository, recursive=True, revision=self.revision, repo_type=KIND
        )
        return {each.path: each for each in listed if isinstance(each, RepoFile)}

    def _refuse_foreign(self, there: Mapping[str, RepoFile]) -> None:
        if not there.keys() - MADE_BY_THE_HUB:
            return
        with tempfile.TemporaryDirectory(prefix="strmatch-") as folder:
            ours = CARD in there and is_ours(self._read_there(folder))
        if not ours:
            raise RunError(
                f"{self.repository} at {self.revision} holds files that strmatch did not write: "
                "name another repository or --revision"
            )

    def _read_there(self, folder: str) -> bytes:
        path = self.api.hf_hub_download(
            self.repository, CARD, repo_type=KIND, revision=self.revision, local_dir=folder
        )
        with open(path, "rb") as file:
            return file.read()

    def _is_there(self, name: str, there: RepoFile | None) -> bool:
        if there is None or there.size != self.files[name]:
            return False
        if there.lfs is not None:
            return self._hash(name, "sha256", b"") == there.lfs.sha256
        return self._hash(name, "sha1", f"blob {there.size}\0".encode()) == there.blob_id

    def _hash(self, name: str, algorithm: str, begin: bytes) -> str:
        if name not in self._hashes:
            digest = hashlib.new(algorithm, begin)
            if name == CARD:
                digest.update(self.card)
            else:
                with self.output.fs.open(self.output.path(name), "rb") as file:
                    while chunk := file.read(CHUNK):
                        digest.update(chunk)
            self._hashes[name] = digest.hexdigest()
        return self._hashes[name]

    def _together(self, names: list[str]) -> Iterator[list[str]]:
        """Yields the names in order, in portions that are sent together."""
        some: list[str] = []
        for name in names:
            held = sum(self.files[each] for each in some)
            if some and (len(some) == FILES_AT_ONCE or held + self.files[name] > BYTES_AT_ONCE):
                yield some
                some = []
            some.append(name)
        if some:
            yield some

    def _send(self, names: list[str]) -> list[CommitOperationAdd]:
        """Returns the operations of files whose content, if the Hub stores it apart, is sent."""
        with tempfile.TemporaryDirectory(prefix="strmatch-") as folder:
            operations = [CommitOperationAdd(name, self._local(name, folder)) for name in names]
            self.api.preupload_lfs_files(
                self.repository, operations, repo_type=KIND, revision=self.revision
            )
            for operation in operations:
                # Not empty: the Hub takes the content with the commit.
                if str(operation.path_or_fileobj).startswith(folder):
                    with operation.as_file() as file:
                        operation.path_or_fileobj = file.read()
        return operations

    def _local(self, name: str, folder: str) -> str | bytes:
        """Returns the path of a file on this machine, or the content of the card."""
        if name == CARD:
            return self.card
        path = self.output.path(name)
        if isinstance(self.output.fs, LocalFileSystem):
            return path
        local = os.path.join(folder, name)
        os.makedirs(os.path.dirname(local), exist_ok=True)
        self.output.fs.get_file(path, local)
        return local

    def _explained(self, error: BaseException) -> str:
        status = _status(error)
        if status in (401, 403, 404):
            return (
                f"{constants.ENDPOINT} gives this account no right to write {self.repository} "
                f"({status}): set HF_TOKEN to a token with write access, and check the name"
            )
        while error.__cause__ is not None:
            error = error.__cause__
        if status is not None:
            return f"{constants.ENDPOINT} answers {status} for {self.repository}"
        line = QUERY.sub(r"\1", " ".join(f"{type(error).__name__} {error}".split()))
        return f"{self.repository} on {constants.ENDPOINT}: {line}"


def _status(error: BaseException | None) -> int | None:
    """The status of the answer behind an error, which may be the cause of another error."""
    while error is not None:
        if isinstance(error, HfHubHTTPError):
            return error.response.status_code
        error = error.__cause__
    return None


def _may_pass(error: BaseException | None) -> bool:
    """Whether another attempt may succeed: the server was overloaded, or the connection broke."""
    status = _status(error)
    if status is not None:
        return status in (408, 409, 412, 425, 429) or status >= 500
    while error is not None:
        if isinstance(error, OSError) or type(error).__module__.startswith(("httpx", "httpcore")):
            return True
        error = error.__cause__
    return False
