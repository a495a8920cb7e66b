"""Read the column `edits` of a manifest: what several objects of a clip become at once."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

FORM = (
    "edits must be a list of at least two objects with subject and target, and optional mask_uri "
    "and mask_label"
)
NAMES = ("subject", "target", "mask_uri", "mask_label")
INSTEAD_OF = ("subject", "targets", "mask_uri", "mask_label")
"""Columns that a row with `edits` must not have."""

Read = Callable[[Any, list[str]], int | None]


def read_edits(
    row: Mapping[str, Any],
    locate: Callable[[str], str | None],
    label: Read,
    problems: list[str],
) -> list[dict[str, Any]] | None:
    """Returns the edits of a row of a manifest, as `schema.GIVEN_EDIT`; None if it has none.

    Args:
        row: of the manifest.
        locate: returns where a mask_uri is read, or None, with a problem.
        label: reads a mask_label, with a problem if there is one.
        problems: what is wrong in the row. Added to in place.
    """
    value = row.get("edits")
    if value is None:
        return None
    if isinstance(value, str):
        with suppress(ValueError):  # a text that is no JSON is no list either
            value = json.loads(value)
    if not isinstance(value, list) or len(value) < 2 or not all(map(_is_edit, value)):
        problems.append(f"{FORM}, got {value!r}")
        return None
    subjects = [each["subject"].strip().lower() for each in value]
    if len({*subjects}) < len(subjects):
        problems.append("edits: two have the same subject; name each object by words of its own")
    beside = [name for name in INSTEAD_OF if row.get(name) is not None]
    if beside:
        problems.append(f"edits stand in the place of {beside[0]}: give one of them")
    return [
        {
            "subject": each["subject"].strip(),
            "target": each["target"].strip(),
            "mask_uri": each.get("mask_uri"),
            "mask_label": label(each.get("mask_label"), problems),
            "mask_location": each.get("mask_uri") and locate(each["mask_uri"]),
        }
        for each in value
    ]


def _is_edit(value: Any) -> bool:
    if not isinstance(value, Mapping) or {*value} - {*NAMES}:
        return False
    texts = (value.get("subject"), value.get("target"))
    mask_uri = value.get("mask_uri")
    named = mask_uri is None or (isinstance(mask_uri, str) and bool(mask_uri))
    return named and all(isinstance(text, str) and text.strip() for text in texts)
