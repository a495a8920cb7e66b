"""A target prompt and its derivation from the source prompt."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from strmatch.metrics.base import Where

Kind = Literal["noun_near", "noun_far", "recolour", "restyle", "background"]


@dataclass(frozen=True)
class TargetPrompt:
    """The prompt of an edit. Kind, words and distance are None for a prompt of the user."""

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

    def as_row(self) -> dict[str, Any]:
        """Return the fields as a row of `schema.TARGET`."""
        return asdict(self)
