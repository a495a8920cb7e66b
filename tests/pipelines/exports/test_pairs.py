import json

import pandas as pd
import pytest

from pipelines.exports.pairs import Pairs
from pipelines.media.encode import decode_video
from pipelines.storage import Storage
from tests.pipelines.exports.folders import content, write


@pytest.fixture(scope="module", params=[False, True], ids=["there", "there_and_back"])
def exported(published, request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    write(published, Pairs(inverse=request.param), Storage(str(folder)))
    return folder, request.param


def test_both_lists_have_a_line_for_every_edit_that_is_ok(published, exported):
    folder, inverse = exported
    pairs = pd.read_csv(folder / "pairs.csv")
    assert list(pairs) == ["src_video", "tgt_video", "prompt"]
    lines = (folder / "pairs.jsonl").read_text("utf-8").split("\n")[:-1]
    assert [json.loads(line) for line in lines] == pairs.to_dict("records")
    assert len(pairs) == len(published.ok) * (1 + inverse)


def test_paths_lead_to_the_videos_of_the_dataset(published, exported):
    folder, inverse = exported
    pairs = pd.read_csv(folder / "pairs.csv")
    there = pairs[:: 1 + inverse]
    for row, (source, edited) in zip(
        published.ok, there[["src_video", "tgt_video"]].values, strict=True
    ):
        assert (folder / source).read_bytes() == row["source_video"]
        assert (folder / edited).read_bytes() == row["edited_video"]
    if inverse:
        back = pairs[1::2]
        assert (back.src_video.values == there.tgt_video.values).all()
        assert (back.tgt_video.values == there.src_video.values).all()


def test_targets_of_a_clip_share_the_file_of_its_source(published, exported):
    folder, _ = exported
    videos = [name for name in content(folder) if name.endswith(".mp4")]
    assert len(videos) == len(published.ok) + len({row["clip_id"] for row in published.ok})
    assert all(name.isascii() and len(name) < 60 for name in videos)
    assert decode_video((folder / videos[0]).read_bytes()).shape == (6, 32, 32, 3)
