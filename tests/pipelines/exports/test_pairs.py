import json

import pandas as pd
import pytest

from pipelines.exports.pairs import Pairs
from pipelines.media.encode import decode_video
from pipelines.storage import Storage
from tests.pipelines.exports.folders import content, write


@pytest.fixture(scope="module")
def folder(published, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    write(published, Pairs(), Storage(str(folder)))
    return folder


@pytest.fixture(scope="module")
def pairs(folder):
    return pd.read_csv(folder / "pairs.csv")


def test_both_lists_have_a_line_for_every_edit_that_is_ok(published, folder, pairs):
    assert list(pairs) == ["src_video", "tgt_video", "prompt"]
    lines = (folder / "pairs.jsonl").read_text("utf-8").split("\n")[:-1]
    assert [json.loads(line) for line in lines] == pairs.to_dict("records")
    assert pairs.prompt.tolist() == [row["instruction"] for row in published.ok]


def test_paths_lead_to_the_videos_of_the_dataset(published, folder, pairs):
    for row, (source, edited, _) in zip(published.ok, pairs.values, strict=True):
        assert (folder / source).read_bytes() == row["source_video"]
        assert (folder / edited).read_bytes() == row["edited_video"]


def test_targets_of_a_clip_share_the_file_of_its_source(published, folder):
    videos = [name for name in content(folder) if name.endswith(".mp4")]
    assert len(videos) == len(published.ok) + len({row["clip_id"] for row in published.ok})
    assert all(name.isascii() and len(name) < 60 for name in videos)
    assert decode_video((folder / videos[0]).read_bytes()).shape == (6, 32, 32, 3)


def test_ways_back_and_other_wordings_add_lines_and_no_files(published, folder, pairs, tmp_path):
    write(published, Pairs(inverse=True, count=3), Storage(str(tmp_path)))
    more = pd.read_csv(tmp_path / "pairs.csv")
    assert len(more) == 6 * len(pairs) == len(more.drop_duplicates())
    ways = pairs[["src_video", "tgt_video"]].values.tolist()
    first = more[::6].reset_index(drop=True)
    assert first.equals(pairs)
    assert more[3::6][["tgt_video", "src_video"]].values.tolist() == ways
    back = [row["inverse_instruction"] for row in published.ok]
    assert more[3::6].prompt.tolist() == back

    def videos(root):
        return {name: data for name, data in content(root).items() if name.endswith(".mp4")}

    assert videos(tmp_path) == videos(folder)
