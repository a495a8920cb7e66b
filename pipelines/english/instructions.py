"""Instructions for an edit, and for the way back: "Replace the red car with a blue truck."."""

import random
from collections.abc import Mapping
from typing import Any, NamedTuple

from pipelines.english.change import EditedPrompt, Wording, find_change
from pipelines.english.word_lists import read_list


class Instructions(NamedTuple):
    """The instructions of an edit, all wordings of each."""

    there: list[str]
    """From the source to the edit."""
    back: list[str]
    """From the edit to the source."""


def instructions(row: Mapping[str, Any]) -> Instructions:
    """Return the instructions of an edit.

    The order of the wordings is drawn by the run's seed and the edit's id.

    Args:
        row: of the dataset, with `row_id`, `seed` and the columns of `EditedPrompt`.
    """
    change = find_change(EditedPrompt.of_row(row))
    drawn_by = f"{row.get('seed')} {row['row_id']}"
    return Instructions(_drawn(change.there, drawn_by), _drawn(change.back, f"{drawn_by} back"))


def instruction_columns(row: Mapping[str, Any]) -> dict[str, str]:
    """Return the first wordings, as columns of `schema.DATASET`."""
    found = instructions(row)
    return {"instruction": found.there[0], "inverse_instruction": found.back[0]}


def _drawn(wording: Wording, seed: str) -> list[str]:
    templates: list[str] = read_list("instructions.yaml")[wording.name]
    texts = [template.format(**wording.fields) for template in templates]
    return random.Random(seed).sample(texts, len(texts))
