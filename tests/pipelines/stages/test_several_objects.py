"""A clip with two figures through all stages: two objects, edited at once."""

import numpy as np
import pytest

from pipelines.config.loading import load_config
from pipelines.editors.multi_target import MultiTargetEditor
from pipelines.media import masks
from pipelines.media.encode import decode_video, encode_video
from pipelines.phases.annotate import STEPS, stages
from pipelines.reliability.deadline import unbounded
from pipelines.schema import CLIPS, DATASET, rows_table
from pipelines.stages.plan_edits import PlanClip
from pipelines.stages.write_part import edit_row
from pipelines.tables.clips import name_row
from pipelines.tables.plan import PLANNED_EDIT
from strmatch.miniature.scenes import caption, sample_scene
from strmatch.miniature.world import render
from tests.pipelines.fakes.editors import Invert

SCENE = sample_scene(104, "dev", "two_sprites")
CONFIG = load_config(
    assignments=[
        *("annotate.objects_per_edit=2", "annotate.targets_per_clip=2"),
        *("editor=tests.pipelines.fakes.editors:Invert", "measure.metrics=[background_difference]"),
        "publish.limits=null",
    ]
)


def annotated(config, **given):
    """The annotated clip, as ANNOTATE commits it. The manifest gave the caption."""
    video = encode_video(render([SCENE]).frames[0].numpy(), 8.0, 12)
    row = dict.fromkeys(CLIPS.names) | {"level": "clip", "clip_id": "c", "source_row": "s"}
    row |= {"status": "ok", "source_video": video, "fps": 8.0, "num_frames": 16, "seconds": 0.0}
    row |= {"caption": caption(SCENE), "target_group": None} | given
    for stage in stages(list(STEPS), config, unbounded, "source_row"):
        row = stage(row)
    assert row["error_message"] is None
    return rows_table([name_row(row)], CLIPS).to_pylist()[0]


@pytest.fixture(scope="module")
def clip():
    return annotated(CONFIG)


def test_the_clip_has_both_objects_and_targets_for_both(clip):
    figures = [f"{sprite.colour} {sprite.shape}" for sprite in SCENE.sprites]
    assert [(each["id"], each["words"]) for each in clip["objects"]] == [*enumerate(figures)]
    assert clip["mask"] == clip["objects"][0]["mask"]
    assert len(clip["targets"]) == 2
    for target in clip["targets"]:
        assert [each["object"] for each in target["edits"]] == [0, 1]
        for each, figure in zip(target["edits"], figures, strict=True):
            assert each["source_word"] in figure and figure not in target["prompt"]
            assert each["target_word"] in each["prompt"] and each["prompt"] in target["prompt"]


def test_a_row_has_both_edits_and_a_mask_of_both(clip):
    """Both objects are inverted by an editor that takes one region."""
    planned = PlanClip(CONFIG, Invert, "1", {})(clip, "clips/a.parquet")
    assert len({row["edit_id"] for row in planned}) == 2
    assert {row["target_kind"] for row in planned} == {"several"}
    work = {"source_prompt": clip["source_prompt"]}
    for name in ("edit_id", "target_prompt", "target_where", "edit_list", "seed"):
        work[f"{name}s"] = [row[name] for row in planned]
    edits = MultiTargetEditor(CONFIG, Invert, "1")(work, lambda: clip)
    told = {name: planned[0][name] for name in ("source_prompt", *PLANNED_EDIT)}
    (row,) = rows_table([edit_row(clip, edits[0], told)], DATASET).to_pylist()
    assert row["edits"] == clip["targets"][0]["edits"]
    assert row["objects"] == clip["objects"]
    assert row["instruction"]

    both = masks.decode(row["mask"])
    each = [masks.decode(thing["mask"]) for thing in row["objects"]]
    assert (both == each[0] | each[1]).all() and each[0].any() and each[1].any()
    source, edited = (decode_video(row[name]) for name in ("source_video", "edited_video"))
    assert np.abs(source[~both].astype(int) - edited[~both]).mean() < 3
    assert np.abs(255 - source[both].astype(int) - edited[both]).mean() < 12


def test_the_manifest_may_name_both_edits(clip):
    """The tracker finds the objects, although the configuration edits one object a clip."""
    figures = [f"{sprite.colour} {sprite.shape}" for sprite in SCENE.sprites]
    given = [{"subject": words, "target": f"a pink {words.split()[1]}"} for words in figures]
    objects = [{"id": n, "words": words, "mask": None} for n, words in enumerate(figures)]
    found = annotated(load_config(), given_edits=given, objects=objects, subject=figures[0])
    assert [each["mask"] for each in found["objects"]] == [e["mask"] for e in clip["objects"]]
    (target,) = found["targets"]
    assert target["prompt"].count("a pink ") == 2
    (planned,) = PlanClip(CONFIG, Invert, "1", {})(found)
    assert planned["target_kind"] == "several"


def test_a_plan_without_the_second_object_is_that_of_today(clip):
    """The ids of edits of one object do not depend on further objects of the clip."""
    plain = [target | {"edits": None} for target in clip["targets"]]
    alone, beside = (
        PlanClip(CONFIG, Invert, "1", {})(clip | {"targets": plain, "objects": objects})
        for objects in (None, clip["objects"])
    )
    ids = [row["edit_id"] for row in alone]
    assert ids == [row["edit_id"] for row in beside]
    assert not {*ids} & {row["edit_id"] for row in PlanClip(CONFIG, Invert, "1", {})(clip)}
    swapped = clip | {"objects": [each | {"mask": clip["mask"]} for each in clip["objects"]]}
    assert not {*ids} & {row["edit_id"] for row in PlanClip(CONFIG, Invert, "1", {})(swapped)}
