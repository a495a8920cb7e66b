"""Instructions for an edit, and for the way back: "Replace the red car with a blue truck."."""

import random
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pipelines.english.change import EditedPrompt, Wording, find_change
from pipelines.english.joined import joined
from pipelines.english.parts import parts_of
from pipelines.english.word_lists import read_list

COLUMNS = (
    *("row_id", "seed", "instruction", "inverse_instruction"),
    *EditedPrompt.__dataclass_fields__,
)
"""The columns of the dataset that `instructions` reads."""


class Instructions(NamedTuple):
    """The instructions of an edit, all wordings of each."""

    there: list[str]
    """From the source to the edit."""
    back: list[str]
    """From the edit to the source."""


def instructions(row: Mapping[str, Any]) -> Instructions:
    """Return the instructions of an edit.

    The order of the wordings is drawn by the run's seed and the edit's id. Instructions that the
    row has are the first. An edit of several objects is one sentence; where the change of one of
    them cannot be put in words, the sentence tells the prompts.

    Args:
        row: of the dataset, with `COLUMNS`. All but `row_id` and the prompts may be missing.
    """
    edit = EditedPrompt.of_row(row)
    changes = [find_change(part) for part in parts_of(edit)]
    changes = [change for change in changes if change.there.name == "prompt"][:1] or changes
    drawn_by = f"{row.get('seed')} {row['row_id']}"
    there, back = zip(*changes, strict=True)
    return Instructions(
        _drawn(there, drawn_by, row.get("instruction")),
        _drawn(back, f"{drawn_by} back", row.get("inverse_instruction")),
    )


def instruction_between(source_prompt: str, target_prompt: str) -> str:
    """Return the instruction for an edit of which only the prompts are known, always the same."""
    row = {"source_prompt": source_prompt, "target_prompt": target_prompt}
    return instructions(row | {"row_id": "", "seed": 0}).there[0]


def instruction_columns(row: Mapping[str, Any]) -> dict[str, str]:
    """Return the first wordings, as columns of `schema.DATASET`."""
    found = instructions(row)
    return {"instruction": found.there[0], "inverse_instruction": found.back[0]}


def _drawn(wordings: Sequence[Wording], seed: str, first: str | None) -> list[str]:
    drawn = []
    for wording in wordings:
        templates: list[str] = read_list("instructions.yaml")[wording.name]
        texts = [template.format(**wording.fields) for template in templates]
        drawn.append(random.Random(seed).sample(texts, len(texts)))
    told = joined(drawn) if len(drawn) > 1 else drawn[0]
    return list(dict.fromkeys([first, *told] if first else told))
