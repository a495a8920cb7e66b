"""Fingerprints: which settings can change the result of a phase."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pipelines.config.config import Config
from pipelines.config.input import Input
from pipelines.ids import without_later_settings

SETTINGS = {
    "annotate": ("seed", "input", "clip", "annotate"),
    "plan": ("backbone", "editor", "edit", "editor_options"),
    "edit": (),
    "measure": ("measure",),
    "publish": ("publish",),
}
"""The fields of `Config` that each phase adds to those of the phases before it."""
TRIES = ("tries", "ladder")
"""The fields of `edit` that change no try, and only decide which tries are made and published."""

WHOLE_INPUT = Input().model_dump(mode="json")
ABSENT: tuple[tuple[Any, Any], ...] = ((None, {}), ({}, None), (None, WHOLE_INPUT))
"""Pairs of values that mean the same: older runs lack some options."""


def dump(config: Config) -> dict[str, Any]:
    """The configuration as plain JSON values."""
    return config.model_dump(mode="json")


def fingerprints(config: Config) -> dict[str, str]:
    """One hash a phase over everything that can change its result, chained."""
    values, chained, result = _without_empty_options(_by_phase(dump(config))), "", {}
    for phase, fields in SETTINGS.items():
        part = {name: values[name] for name in fields if name in values}
        text = json.dumps([chained, part], sort_keys=True)
        chained = hashlib.sha256(text.encode()).hexdigest()[:16]
        result[phase] = chained
    return result


def _by_phase(values: dict[str, Any]) -> dict[str, Any]:
    """Move further tries to the section `publish`: an existing output may have more or fewer."""
    edit = dict(values["edit"])
    tries = {name: edit.pop(name) for name in TRIES}
    publish = values["publish"] | (tries if tries["tries"] else {})
    return values | {"edit": edit, "publish": publish}


def _without_empty_options(values: dict[str, Any]) -> dict[str, Any]:
    """Drop the fields for options of plug-ins that have none, and newer fields with defaults.

    Outputs that were made before these fields existed keep their fingerprints.
    """
    annotate = {
        name: value
        for name, value in values["annotate"].items()
        if value or not name.endswith("_options")
    }
    if annotate["objects_per_edit"] == 1:
        del annotate["objects_per_edit"]
    if annotate["mask_check"]["required"]:
        annotate["mask_check"] = {
            name: value for name, value in annotate["mask_check"].items() if name != "required"
        }
    clip = dict(values["clip"])
    if clip["span"] == "window":
        for name in ("span", "min_seconds", "max_seconds"):
            del clip[name]
    publish = dict(values["publish"])
    if publish["size"] == "model":
        del publish["size"]
    measure = dict(values["measure"])
    if not measure["options"]:
        del measure["options"]
    if values["input"] == WHOLE_INPUT:
        values = {name: value for name, value in values.items() if name != "input"}
    sections = {"clip": clip, "annotate": annotate, "measure": measure, "publish": publish}
    return values | sections | {"edit": without_later_settings(values["edit"])}


def differences(old: Mapping[str, Any], new: Mapping[str, Any], path: str = "") -> list[str]:
    """The semantic fields in which two dumped configurations differ, as `field: old → new`.

    Further tries are left out: they never separate two runs.
    """
    found = []
    for name in sorted({*old, *new}):
        here, a, b = f"{path}{name}", old.get(name), new.get(name)
        if here in ("execution", "preset", *(f"edit.{name}" for name in TRIES)):
            continue
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            found += differences(a, b, f"{here}.")
        elif a != b and (a, b) not in ABSENT:
            found.append(f"{here}: {a} → {b}")
    return found
