"""The instructions of the edits of a dataset, which older datasets lack."""

from pipelines.english.change import EditedPrompt
from pipelines.english.instructions import Instructions, instructions
from pipelines.rows import Row

COLUMNS = (
    *("row_id", "seed", "instruction", "inverse_instruction"),
    *EditedPrompt.__dataclass_fields__,
)
"""The columns that `wordings` reads."""


def wordings(row: Row, count: int) -> Instructions:
    """Returns at most `count` different wordings of an edit, first that of the dataset.

    Args:
        row: an edit with `COLUMNS`. Instructions of a dataset without them are derived.
    """
    found = instructions(row)
    there = [row["instruction"] or found.there[0], *found.there]
    back = [row["inverse_instruction"] or found.back[0], *found.back]
    return Instructions(*(list(dict.fromkeys(texts))[:count] for texts in (there, back)))
