import pytest

from pipelines.errors import RunError
from pipelines.runs.failures import manifest
from pipelines.sources.listing import find_sources
from tests.pipelines.support.lerobot import write_dataset


def test_episodes_are_not_written_as_a_manifest(tmp_path):
    sources = find_sources(f"lerobot://{write_dataset(tmp_path / 'dataset', lengths=(3,) * 4)}", {})
    failed = {"source_row": sources["source_row"][0].as_py(), "level": "source"}
    with pytest.raises(RunError, match="cannot be written as a manifest: repeat them with"):
        manifest([failed], sources)
