import json

import pytest

from jobs.runs.failures import write_manifest
from pipelines.errors import RunError
from pipelines.runs.failures import manifest
from pipelines.sources.listing import find_sources
from tests.pipelines.support.lerobot import write_dataset


def test_episodes_are_not_written_as_a_manifest(tmp_path):
    sources = find_sources(f"lerobot://{write_dataset(tmp_path / 'dataset', lengths=(3,) * 4)}", {})
    failed = {"source_row": sources["source_row"][0].as_py(), "level": "source"}
    with pytest.raises(RunError, match="cannot be written as a manifest: repeat them with"):
        manifest([failed], sources)


def test_a_failed_edit_of_several_objects_is_written_with_all_of_them(tmp_path):
    """Read back as a manifest, by which a run makes the same edit again."""
    (tmp_path / "a.mp4").touch()
    sources = find_sources(str(tmp_path), {})
    parts = [{"words": "dog", "prompt": "a fox"}, {"words": "red car", "prompt": "a blue car"}]
    failed = {"source_row": sources["source_row"][0].as_py(), "level": "edit", "start_seconds": 0.0}
    failed |= {"source_prompt": "a dog and a red car", "target_prompt": "a fox and a blue car"}
    failed |= {"target_where": "subject", "edit_list": json.dumps(parts)}
    behind = [*parts[:1], {"words": None, "prompt": "a fox on a beach"}]
    entries = manifest([failed, failed | {"edit_list": json.dumps(behind)}], sources)
    write_manifest(entries, tmp_path / "again.jsonl")
    several, whole = find_sources(str(tmp_path / "again.jsonl"), {}).to_pylist()
    assert several["problem"] is whole["problem"] is None
    told = [(each["subject"], each["target"]) for each in several["edits"]]
    assert told == [("dog", "a fox"), ("red car", "a blue car")]
    assert (several["targets"], several["caption"]) == (None, "a dog and a red car")
    assert (whole["targets"], whole["edits"]) == (["a fox and a blue car"], None)
