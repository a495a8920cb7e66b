"""The columns of a plan row that describe its target."""

from pipelines.config.loading import load_config
from pipelines.schema import CLIPS, PLAN, conform, rows_table
from pipelines.stages.plan_edits import PlanEdits
from pipelines.storage import Storage
from pipelines.tables.plan import Prompts, by_clip
from pipelines.target_prompt import TargetPrompt
from tests.pipelines.fakes.editors import Invert

FILE = "clips/a.parquet"
DERIVED = TargetPrompt("a fox", "noun_near", "cat", "fox", 4)
GIVEN = TargetPrompt("a dog")


def planned(folder, kept):
    output = Storage(str(folder))
    clip = {"row_id": "1", "clip_id": "c", "status": "ok", "source_prompt": "a cat"}
    clip["targets"] = [DERIVED.as_row(), GIVEN.as_row()]
    output.write_table(FILE, rows_table([clip, {"row_id": "2", "status": "failed"}], CLIPS))
    rows = PlanEdits(output, load_config(), Invert, "r", kept)(
        {"file": FILE, "clip_rows": ["1", "2"]}
    )
    return rows_table(rows, PLAN)


def said(table):
    columns = ("target_prompt", "target_kind", "source_word", "target_word", "target_distance")
    return [tuple(row[name] for name in columns) for row in table.to_pylist()]


def test_only_derived_targets_describe_how_they_were_derived(tmp_path):
    assert said(planned(tmp_path, {})) == [
        ("a fox", "noun_near", "cat", "fox", 4),
        ("a dog", None, None, None, None),
    ]


def test_a_prompt_changed_by_hand_has_no_description_of_its_swap(tmp_path):
    kept = {"1": [Prompts("a cat", "a fox", "subject"), Prompts("a cat", "a lion", "subject")]}
    assert said(planned(tmp_path, kept)) == [
        ("a fox", "noun_near", "cat", "fox", 4),
        ("a lion", None, None, None, None),
    ]
    kept = {"1": [Prompts("a black cat", "a fox", "subject")]}
    assert said(planned(tmp_path, kept)) == [("a fox", None, None, None, None)]


def test_each_edit_of_a_clip_keeps_its_target(tmp_path):
    (clip,) = by_clip(planned(tmp_path, {})).to_pylist()
    assert clip["target_prompts"] == ["a fox", "a dog"]
    assert clip["target_kinds"] == ["noun_near", None]
    assert clip["target_distances"] == [4, None]


def test_a_block_without_derived_targets_has_the_common_schema():
    table = rows_table([{"targets": [GIVEN.as_row()]}], CLIPS)
    inferred = table.from_pylist([{"row_id": "1", "targets": [GIVEN.as_row()]}])
    assert conform(inferred, CLIPS).schema == CLIPS
