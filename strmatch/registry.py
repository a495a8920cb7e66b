"""Objects chosen by name: built in, or from another package by an entry point."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints


@dataclass(frozen=True)
class Registry:
    """The objects of one kind. Nothing is imported before `load`."""

    kind: str
    """For messages, and for the entry-point group `strmatch.<kind>` of other packages."""
    built_in: Mapping[str, str]
    """Name to `module:object`."""

    def names(self) -> list[str]:
        """Every name, the built-in ones first."""
        return [*self.built_in, *sorted(self._others().names - self.built_in.keys())]

    def __contains__(self, name: str) -> bool:
        return name in self.built_in or name in self.names()

    def load(self, name: str) -> Any:
        """Import the object called `name`, which must be one of `names`.

        Raises:
            Exception: whatever the import raises.
        """
        if name in self.built_in:
            return load(self.built_in[name])
        return self._others()[name].load()

    def _others(self) -> "EntryPoints":
        from importlib.metadata import entry_points  # slow, and needed by few commands

        return entry_points(group=f"strmatch.{self.kind}")


def load(place: str) -> Any:
    """Import `module:object`."""
    module, _, attribute = place.partition(":")
    return getattr(import_module(module), attribute)
