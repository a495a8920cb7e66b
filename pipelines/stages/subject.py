"""Which thing of a clip is to be edited."""

from pipelines.prompts.subject import find_subject
from pipelines.stages.base import Row


def name_subject(row: Row) -> Row:
    """Sets subject where the manifest names none: the noun phrase that source_prompt is about.

    It stays null where the caption cannot be understood: there may be targets nevertheless.
    """
    if row["subject"] is not None:
        return {"subject": row["subject"].strip()}
    found = find_subject(row["source_prompt"])
    return {"subject": found.phrase if found else None}
