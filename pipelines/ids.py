"""Content hashes: equal inputs give equal ids on every machine."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

LATER_SETTINGS: Mapping[str, Any] = {
    "window_stride": None,
    "window_weights": "triangular",
    "slices": "renormalised",
    "temporal_neighbourhood": 1,
    "inversion_refinements": 0,
}
"""Settings of editors that older outputs lack, with the values that leave ids as they were."""


def content_id(**parts: Any) -> str:
    """Returns a 128-bit hash of named JSON values, as 32 hex digits."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def source_key(source: Mapping[str, Any], fingerprint: str | None) -> str:
    """Returns the id of a source: by the manifest's id, else by its URI with its size or ETag."""
    if source["source_id"] is not None:
        return content_id(id=source["source_id"])
    return content_id(uri=source["source_uri"], content=fingerprint)


def clip_id(key: str, start_seconds: float, fps: float, decode: Mapping[str, Any]) -> str:
    """Returns the id of a span of a source under the given decode settings."""
    return content_id(source=key, start=round(start_seconds, 6), fps=round(fps, 6), decode=decode)


def mask_id(mask: Sequence[Mapping[str, Any]] | None) -> str | None:
    """Returns the id of a mask, given as COCO RLE per frame; None without a mask."""
    return None if mask is None else content_id(mask=[dict(frame) for frame in mask])


def source_row_id(source: Mapping[str, Any]) -> str:
    """Returns the id of a row of the input, independent of the place where its video is read."""
    given = (
        "source_id",
        "source_uri",
        "start_seconds",
        "caption",
        "subject",
        "targets",
        "mask_uri",
    )
    # Rows of older outputs have no label.
    label = {} if source.get("mask_label") is None else {"mask_label": source["mask_label"]}
    where = {} if source.get("targets_where") is None else {"where": source["targets_where"]}
    frames = {} if source.get("num_frames") is None else {"num_frames": source["num_frames"]}
    edits = {"edits": [*map(_as_given, source["edits"])]} if source.get("edits") else {}
    named = {name: source.get(name) for name in given}
    return content_id(**named, **label, **where, **frames, **edits)


def _as_given(edit: Mapping[str, Any]) -> dict[str, Any]:
    """Returns an edit of a manifest without the place where its mask is read."""
    return {name: value for name, value in edit.items() if name != "mask_location"}


def clip_row_id(row: Mapping[str, Any]) -> str:
    """Returns the id of a clip with its annotations."""
    return content_id(
        clip=row["clip_id"],
        prompt=row["source_prompt"],
        mask=mask_id(row["mask"]),
        targets=[_without_default(target) for target in row["targets"] or ()],
        **_of_objects(row.get("objects")),
    )


def _of_objects(objects: Sequence[Mapping[str, Any]] | None) -> dict[str, Any]:
    """Returns what an id has of a clip's objects: nothing for one object, which `mask` shows."""
    if objects is None or len(objects) < 2:
        return {}
    return {"objects": [[each["words"], mask_id(each["mask"])] for each in objects]}


def _without_default(target: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a target as its id has it: most targets apply to the subject, and are one edit."""
    where, edits = target.get("where"), target.get("edits")
    plain = {n: v for n, v in target.items() if n not in ("where", "edits")}
    return plain | of_where(where) | ({"edits": edits} if edits else {})


def of_where(where: str | None) -> dict[str, str]:
    """Returns what an id has of the place where a target applies: nothing for the subject."""
    return {} if where in (None, "subject") else {"where": str(where)}


def without_later_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings of an editor without `LATER_SETTINGS` that have their defaults."""
    return {
        name: value
        for name, value in settings.items()
        if name not in LATER_SETTINGS or value != LATER_SETTINGS[name]
    }


def edit_id(
    row: Mapping[str, Any],
    target_prompt: str,
    editor: Mapping[str, Any],
    model_revision: str,
    seed: int | None,
    where: str | None = None,
    edits: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Returns the id of an edit: a hash of the annotated clip, the target, and the editor.

    Args:
        row: the clip's row, of `schema.CLIPS`.
        target_prompt: the edit's target.
        editor: all settings of the editor that change its results.
        model_revision: revision of the editor's weights.
        seed: None for deterministic editors.
        where: where the target applies. None: to the subject.
        edits: of several objects, as `schema.EDIT`.
    """
    return content_id(
        clip=row["clip_id"],
        prompt=row["source_prompt"],
        mask=mask_id(row["mask"]),
        target=target_prompt,
        editor=editor,
        revision=model_revision,
        seed=seed,
        **of_where(where),
        **_of_objects(row.get("objects") if edits else None),
        **_of_edits(edits),
    )


def _of_edits(edits: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Returns what an id has of the edits of several objects: what changes, and to what."""
    return {"edits": [[each["object"], each["prompt"]] for each in edits]} if edits else {}
