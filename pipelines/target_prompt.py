"""A target prompt and its derivation from the source prompt."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from strmatch.metrics.base import Where

Kind = Literal["noun_near", "noun_far", "recolour", "restyle", "background"]


SEVERAL = "several"
"""The target_kind of a target that changes several objects, each by a kind of its own."""


@dataclass(frozen=True)
class ObjectEdit:
    """The change of one object in an edit of several. Other fields are those of `TargetPrompt`."""

    object: int | None
    """Number of the object in the clip. None: the background."""
    words: str | None
    """The object's words in the source prompt. None: the background."""
    prompt: str
    """What the object shows after the edit, alone."""
    kind: Kind | None = None
    source_word: str | None = None
    target_word: str | None = None
    distance: int | None = None
    where: Where = "subject"
    """subject: the object; background: what no object of the clip covers."""


@dataclass(frozen=True)
class TargetPrompt:
    """The prompt of an edit. Kind, words and distance are None for a prompt of the user, and for
    edits of several objects, which have their own."""

    prompt: str
    kind: Kind | None = None
    source_word: str | None = None
    """The replaced words of the source prompt."""
    target_word: str | None = None
    """The replacement words."""
    distance: int | None = None
    """Tree distance of the two nouns in the taxonomy; 0 if the subject keeps its noun."""
    where: Where = "subject"
    """Where the edit applies."""
    edits: Sequence[ObjectEdit] = ()
    """The edits of several objects that the prompt describes. Empty: one edit."""

    def as_row(self) -> dict[str, Any]:
        """Return the fields as a row of `schema.TARGET`."""
        return asdict(self) | {"edits": [asdict(edit) for edit in self.edits] or None}
