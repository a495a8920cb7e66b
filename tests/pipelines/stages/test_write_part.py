"""The files of the dataset as the Hugging Face Hub's viewer reads them.

The viewer reads the pages of one row group at once, at most 300,000,000 bytes, and finds them by
the index of the pages.
"""

import random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.config.loading import load_config
from pipelines.schema import CLIPS, DATASET, SOURCES, rows_table, with_extras
from pipelines.stages.write_part import MEGABYTE, ROW_GROUP, WritePart, rows_of_a_group
from pipelines.storage import Storage
from pipelines.tables.plan import PLANNED_EDIT
from pipelines.tables.sources import SOURCES_FILE

MOST_READ = 300_000_000


@pytest.mark.parametrize(
    "sizes",
    [
        [1],
        [0] * 10,
        [400_000] * 320,
        [400 * MEGABYTE],
        [1000] * 4000 + [60 * MEGABYTE] * 40,
        [200 * MEGABYTE, 90 * MEGABYTE, 90 * MEGABYTE, 10],
        [5 * MEGABYTE] * 20 + [400 * MEGABYTE] + [5 * MEGABYTE] * 20,
    ],
)
def test_no_row_group_is_too_large_for_the_viewer(sizes):
    rows = rows_of_a_group(sizes)
    groups = [sizes[start : start + rows] for start in range(0, len(sizes), rows)]
    assert all(sum(group) <= MOST_READ or len(group) == 1 for group in groups)


def test_row_groups_of_like_rows_have_the_target_size():
    rows = rows_of_a_group([400_000] * 320)
    assert 0.9 * ROW_GROUP < rows * 400_000 <= ROW_GROUP


def test_files_have_an_index_of_their_pages_and_store_a_shared_source_once(tmp_path):
    output, count, size = Storage(str(tmp_path)), 24, 2 * MEGABYTE
    videos = [random.Random(number).randbytes(size) for number in range(count // 3)]
    clips = [
        {"row_id": f"{n}", "source_row": f"{n}", "status": "failed", "source_video": videos[n // 3]}
        for n in range(count)
    ]
    output.write_table("clips/a.parquet", rows_table(clips, CLIPS))
    output.write_table(SOURCES_FILE, rows_table(clips, SOURCES))
    lists = ("tries", *(f"{name}s" for name in PLANNED_EDIT))
    items = [
        {"clip_file": "clips/a.parquet", "clip_row": row["row_id"], "source_row": row["row_id"]}
        | {name: [] for name in lists}
        for row in clips
    ]
    schema = with_extras(DATASET, pa.schema([]))
    part = {"name": "dataset/part-00000.parquet", "items": items}
    done = WritePart(output, schema, load_config(assignments=["publish.limits=null"]))(part)
    assert (done["rows"], done["problem"]) == (count, None)
    groups = pq.read_metadata(tmp_path / part["name"])
    sizes = []
    for number in range(groups.num_row_groups):
        group = groups.row_group(number)
        columns = [group.column(place) for place in range(group.num_columns)]
        assert all(column.has_offset_index for column in columns)
        sizes.append(sum(column.total_compressed_size for column in columns))
    assert max(sizes) <= ROW_GROUP
    assert np.isclose(sum(sizes), len(videos) * size, rtol=0.3)
    assert pq.read_table(tmp_path / part["name"])["source_video"].to_pylist() == [
        row["source_video"] for row in clips
    ]
