"""The section `input`: which part of a LeRobot dataset is edited."""

import re
from typing import Literal

import pydantic
from pydantic import Field

from pipelines.config.sections import Section

RANGE = re.compile(r"(\d+)-(\d+)")


class Input(Section):
    episodes: tuple[int | str, ...] | None = None
    """Episodes of a LeRobot dataset: numbers, and ranges such as 10-19, the last one included.
    Null: all."""
    cameras: tuple[str, ...] | None = None
    """Cameras of a LeRobot dataset, by the names of its features. Null: all. Depth is never
    edited."""
    share: float | None = Field(default=None, gt=0, le=1)
    """Share of the episodes, 0–1, chosen by the seed. Null: all."""
    caption: Literal["task", "captioner"] = "task"
    """What a camera of a LeRobot dataset shows. task: the text of the episode's task. captioner:
    what `annotate.captioner` says."""

    @pydantic.field_validator("episodes")
    @classmethod
    def _are_episodes(cls, episodes: tuple[int | str, ...] | None) -> tuple[int | str, ...] | None:
        for given in episodes or ():
            bounds = RANGE.fullmatch(given) if isinstance(given, str) else None
            if (isinstance(given, int) and given >= 0) or (bounds and span(given)):
                continue
            raise ValueError(f"want numbers and ranges such as 10-19, got {given!r}")
        return episodes


def span(given: int | str) -> range:
    """Returns the episodes of a number or a range."""
    first, _, last = str(given).partition("-")
    return range(int(first), int(last or first) + 1)
