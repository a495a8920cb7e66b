"""Objects chosen by name: built in, or from another package by an entry point."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any


@dataclass(frozen=True)
class Registry:
    """The objects of one kind. Nothing is imported before `load`."""

    kind: str
    """For messages, and for the entry-point group `strmatch.<kind>` of other packages."""
    built_in: Mapping[str, str]
    """Name to `module:object`."""

    def names(self) -> list[str]:
        """Every name, the built-in ones first."""
        others = {entry.name for entry in entry_points(group=f"strmatch.{self.kind}")}
        return [*self.built_in, *sorted(others - self.built_in.keys())]

    def __contains__(self, name: str) -> bool:
        return name in self.built_in or name in self.names()

    def load(self, name: str) -> Any:
        """Import the object called `name`, which must be one of `names`.

        Raises:
            Exception: whatever the import raises.
        """
        if name in self.built_in:
            return load(self.built_in[name])
        return entry_points(group=f"strmatch.{self.kind}")[name].load()


def load(place: str) -> Any:
    """Import `module:object`."""
    module, _, attribute = place.partition(":")
    return getattr(import_module(module), attribute)
