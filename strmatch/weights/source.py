"""What a model is loaded from, and how its weights may be reached."""

import fnmatch
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from strmatch.weights.errors import WeightsError
from strmatch.weights.remote import is_remote

TRANSFORMERS = ("*.json", "*.jinja", "*.txt", "*.model", "*.safetensors")
"""Patterns of the files of a model in transformers layout: neither pickles nor code."""
NEEDED = ("config.json", "*.safetensors")
"""Patterns of the files without which no model in transformers layout loads."""
SHARD = re.compile(r"(?P<stem>.*)-\d{5}-of-(?P<count>\d{5})(?P<suffix>\.\w+)")
"""The name of one of several files of weights, as the hub's client writes them."""


@dataclass(frozen=True)
class Access:
    """How weights may be reached."""

    offline: bool = False
    """Use what this machine holds, and open no connection."""
    store: str | None = None
    """Folder or fsspec URI that `strmatch weights fetch --preset` wrote. Models of the hub are
    taken from this store. None: from the hub."""


ONLINE = Access()
"""The hub, and any URI."""


@dataclass(frozen=True)
class Source:
    """The weights of a model: a folder, an fsspec URI of a folder, or a hub id with its commit."""

    weights: str
    """A folder, a URI, or a hub id, which may end in `@commit`."""
    revision: str | None = None
    """Commit of the hub id."""
    files: tuple[str, ...] = TRANSFORMERS
    """Patterns of the files to take from the hub. Of a URI, all are taken."""
    needed: tuple[str, ...] = NEEDED
    """Patterns, each of which at least one file must have."""

    @property
    def is_local(self) -> bool:
        """Whether the weights are a folder of this machine."""
        return not is_remote(self.weights) and Path(self.weights).is_dir()

    @property
    def is_uri(self) -> bool:
        return is_remote(self.weights)

    def hub_id(self) -> tuple[str, str]:
        """Id and commit of a model on the hub.

        Raises:
            WeightsError: the weights are no hub id, or the commit is missing, without which the
                weights could change.
        """
        name, _, commit = self.weights.partition("@")
        if Path(self.weights).is_absolute() or name.count("/") != 1:
            raise WeightsError(f"there is no folder {self.weights}, and it is no hub id either")
        if not (self.revision or commit):
            raise WeightsError(
                f"there is no folder {self.weights}; to take it from the hub, name its commit, as "
                "owner/name@commit or as revision"
            )
        return name, self.revision or commit

    @property
    def origin(self) -> str:
        """The source in words, without the query of a URI, which may hold a signature."""
        if self.is_uri or self.is_local:
            return self.weights.split("?")[0]
        return "@".join(self.hub_id())

    def missing(self, names: Iterable[str]) -> str | None:
        """The first needed pattern that none of the names has, or the first missing shard of the
        weights; None: all are there."""
        there = set(names)
        lacking = [pattern for pattern in self.needed if not fnmatch.filter(there, pattern)]
        lacking += [shard for shard in _shards(there) if shard not in there]
        return next(iter(lacking), None)


def _shards(names: Iterable[str]) -> list[str]:
    """The names of all shards of which one is there, which states their number."""
    matches = map(SHARD.fullmatch, names)
    found = {match.group("stem", "count", "suffix") for match in matches if match}
    return [
        f"{stem}-{n + 1:05d}-of-{count}{suffix}"
        for stem, count, suffix in sorted(found)
        for n in range(int(count))
    ]
