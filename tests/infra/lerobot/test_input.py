"""Datasets that lerobot writes, and that lerobot reads, as inputs."""

import numpy as np
import pytest

from pipelines.config.loading import load_config
from pipelines.media.encode import decode_video
from pipelines.reliability.deadline import Deadline
from pipelines.sources.listing import find_sources
from pipelines.stages.find_clips import FindClips
from tests.pipelines.support.lerobot import DEPTH, LENGTHS, TASKS, TOP, WRIST, write_dataset
from tests.pipelines.support.pictures import SIZE, named

pytestmark = pytest.mark.infra
CODECS = {"libsvtav1": 10, "h264": 30}
CAMERAS = (TOP, WRIST)


@pytest.fixture(scope="module")
def made(lerobot, tmp_path_factory):
    """Datasets by codec, written by lerobot."""
    folders = {codec: tmp_path_factory.mktemp("made") / codec for codec in CODECS}
    settings = {"lengths": LENGTHS, "tasks": TASKS}
    lerobot.make(
        *(
            {"folder": folder, "codec": codec, "fps": CODECS[codec], **settings}
            for codec, folder in folders.items()
        )
    )
    return folders


@pytest.mark.parametrize("codec", CODECS)
def test_clips_have_the_frames_of_their_episodes(made, codec):
    config = load_config(
        assignments=["clip.span=shot", f"clip.height={SIZE}", f"clip.width={SIZE}"]
    )
    find = FindClips(config.clip, {}, Deadline(600))
    sources = find_sources(f"lerobot://{made[codec]}", {}).to_pylist()
    assert len(sources) == 8, "depth is no camera"
    for source in sources:
        (row,) = find(source)
        assert row["status"] == "ok", row["error_message"]
        assert row["fps"] == CODECS[codec] and row["timestamps"] is None
        episode, camera = source["lerobot_episode"], CAMERAS.index(source["lerobot_camera"])
        assert source["caption"] == TASKS[episode]
        frames = [named(frame) for frame in decode_video(row["source_video"])]
        assert frames == [(episode, camera, frame) for frame in range(LENGTHS[episode])]


def test_lerobot_reads_the_datasets_of_the_other_tests(lerobot, tmp_path):
    """By the documented layouts: v3.0 as it is, v2.1 after lerobot's own conversion."""
    folders = [write_dataset(tmp_path / version, version) for version in ("v3.0", "v2.1")]
    lerobot.convert(folders[1])
    frames = [(e, frame) for e, length in enumerate(LENGTHS) for frame in range(length)]
    for columns, _ in lerobot.read(*folders):
        assert np.array_equal(
            np.stack([columns["episode_index"], columns["frame_index"]], 1), frames
        )
        for camera, name in enumerate((TOP, WRIST, DEPTH)):
            shown = [named(picture) for picture in columns[name]]
            assert shown == [(episode, camera, frame) for episode, frame in frames]
        assert [*columns["task"]] == [TASKS[episode] for episode, _ in frames]
