"""Pinned fingerprints and ids. A changed value would invalidate existing outputs."""

import pyarrow as pa
import pytest

from pipelines import ids
from pipelines.config.fingerprints import differences, dump, fingerprints
from pipelines.config.loading import load_config
from pipelines.plugins import find_editor
from pipelines.schema import CLIPS, conform
from pipelines.stages.plan_edits import PlanEdits
from pipelines.storage import Storage

CLIP = {
    "row_id": "r",
    "clip_id": "c",
    "source_uri": "a.mp4",
    "start_seconds": 0.5,
    "source_prompt": "a cat",
    "targets": [{"prompt": "a dog"}],
    "mask": [{"size": [2, 2], "counts": "04"}],
    "status": "ok",
}
SMALL_WORLD = [
    "annotate.tracker=contrast",
    "annotate.captioner=miniature",
    *(f"annotate.{model}.revision=null" for model in ("sam2", "detector")),
    "measure.metrics=[frame_consistency,background_difference,motion_error]",
]
"""The annotators of the published presets before they had some of their own."""

LIMITED = [
    "annotate.tracker=motion",
    "annotate.captioner=template",
    "annotate.targets_per_clip=3",
    "measure.metrics=[motion_error]",
    "publish.limits.motion_error.max=3",
]
FILE = {"file": "clips/x.parquet", "clip_rows": ["r"]}
PINNED = [
    (
        "miniature",
        [],
        "1c86efd8d8099094 ed6b35f46c4f2d01 a1ae5650a5db609d 045fc26b24324a7e a8d75454a39d67ea",
        "f3b5b3edbcb7f98a7ad6e6cdc51fbf82",
    ),
    (
        "miniature-fast",
        [],
        "1c86efd8d8099094 1880784ea5b508b0 46dc3e35309cccde 098257399da4d29b e713193139539f92",
        "654daa7df476c7a365c7959026e25f5b",
    ),
    (
        "lavie",
        SMALL_WORLD,
        "dcc99f9e0d4928ca 7b7e9b3938e9ffcc cfbac6e77b9633f2 807cbde75d97d2b7 b834bd6668a0663a",
        "f2b2cde38db787cb3be1a4db35b8aa7e",
    ),
    (
        "zeroscope",
        SMALL_WORLD,
        "07203d3df19739be 2309ab551bf859fe dc53ce1b8e97a782 df09f9a77b63dff0 b45330b2e59ab7ab",
        "f2b2cde38db787cb3be1a4db35b8aa7e",
    ),
    (
        "animatediff",
        SMALL_WORLD,
        "ebaece5538aa0660 56f02034b52f5ca1 eeb5f94910449d79 1f95d809c2f14a59 ed7e7da2d1ca5ae3",
        "f2b2cde38db787cb3be1a4db35b8aa7e",
    ),
    (
        "miniature",
        ["editor=sdedit", "editor_options.strength=0.5"],
        "1c86efd8d8099094 31c200e8af57bc91 3335facafd23001a 9aad17e4aebcd17f 9cff72538914edf4",
        "45aa31a1f091f9007d11030a260bad6a",
    ),
    (
        "zeroscope",
        [*SMALL_WORLD, "editor=dmt"],
        "07203d3df19739be a70a5eb0b662cebf 052779b10abf0664 0cfab8e069e5830d c29914b81347018e",
        "ac747a85f61cef32bb1e761f5a2a322c",
    ),
    (
        "miniature",
        ["editor=uniedit"],
        "1c86efd8d8099094 590a525ca02a589b 8b0d18eadc02228d 942aeafa0f41ae4a f3971e9c2a0c9300",
        "0547879fb33af58bcd25b3505f377944",
    ),
    (
        "lavie",
        [*SMALL_WORLD, "edit.lam=0.02", "clip.crf=18"],
        "021f4f42007302e9 d9e39ad42a71ad2e cbaeddc663e5a740 df45db9dc72adb87 b956236e77206a86",
        "328bb198716f6a659ccf1f7c4f0938eb",
    ),
    (
        "miniature",
        LIMITED,
        "f7f5849b1fa153ac 69d64d74d515a427 81513274dcb37313 0da42005a9d6423e 2e9a3479ae35d51d",
        "f3b5b3edbcb7f98a7ad6e6cdc51fbf82",
    ),
]
"""Preset, assignments, fingerprints from annotate to publish, and the id of the edit of `CLIP`."""


@pytest.mark.parametrize(("preset", "assignments", "hashes", "edit_id"), PINNED)
def test_fingerprints_and_edit_ids_are_pinned(preset, assignments, hashes, edit_id, tmp_path):
    config = load_config(preset, assignments=assignments)
    assert list(fingerprints(config).values()) == hashes.split()
    output = Storage(str(tmp_path))
    assert (
        output.commit_table("clips/x.parquet", conform(pa.Table.from_pylist([CLIP]), CLIPS)) is None
    )
    plan = PlanEdits(output, config, find_editor(config), "revision", {})
    assert [row["edit_id"] for row in plan(FILE)] == [edit_id]


def test_a_part_of_a_dataset_has_fingerprints_of_its_own():
    whole, part = (load_config(assignments=a) for a in ((), ["input.episodes=[3]"]))
    assert {*fingerprints(whole).values()}.isdisjoint(fingerprints(part).values())
    older = {name: value for name, value in dump(whole).items() if name != "input"}
    assert differences(older, dump(whole)) == []
    assert differences(dump(whole), dump(part)) == ["input.episodes: None → [3]"]


def test_the_embedded_weights_keep_their_revision():
    config = load_config()
    assert find_editor(config).revision(config) == "f9bff649a537c816"


def test_ids_of_sources_and_clips_are_pinned():
    source = {"source_id": None, "source_uri": "a.mp4", "start_seconds": 1.5, "caption": "a cat"}
    newer = {"span", "min_seconds", "max_seconds"}
    decode = load_config().clip.model_dump(mode="json", exclude=newer)
    assert ids.source_row_id(source) == "4d825720628f3871803f954e43d4b0ec"
    assert (
        ids.clip_id(ids.source_key(source, "10"), 1.5, 8.0, decode)
        == "ba1f7dd2eb8ea89133db8e70152bc170"
    )
    assert ids.clip_row_id(CLIP) == "b9e9483df8e9d0d5cdd8ab1b23b2bf67"
