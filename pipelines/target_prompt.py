"""A target prompt together with how it came about."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

Kind = Literal["noun_near", "noun_far", "recolour", "restyle", "background"]


@dataclass(frozen=True)
class TargetPrompt:
    """What a clip shall show instead. Of one that was given, nothing but the prompt is known."""

    prompt: str
    kind: Kind | None = None
    source_word: str | None = None
    """The words of the source prompt that were replaced."""
    target_word: str | None = None
    """What stands in their place."""
    distance: int | None = None
    """Steps between the two nouns in the taxonomy; 0 where the subject keeps its noun."""

    def as_row(self) -> dict[str, Any]:
        """As `schema.TARGET`."""
        return asdict(self)
