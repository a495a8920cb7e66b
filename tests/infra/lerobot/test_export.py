"""Exports, opened by lerobot."""

import numpy as np
import pytest

from pipelines.exports.edits import PublishedDataset
from pipelines.exports.lerobot.export import prepare
from pipelines.sources.lerobot.dataset import open_dataset
from pipelines.storage import Storage
from tests.pipelines.support.lerobot import DEPTH, DRAWER, LENGTHS, RED, TASKS, TOP, WRIST
from tests.pipelines.support.lerobot_runs import edited_picture, write_run
from tests.pipelines.support.pictures import named, picture

pytestmark = pytest.mark.infra
TEXTS = (RED, DRAWER, RED, DRAWER, "Pick up the blue cube.", "Pick up the blue cube.")
TEXTS = (*TEXTS, "Open the cupboard")
ORIGIN = [0, 1, 2, 3, 0, 2, 3]
"""The source's episode of each episode; the edit of one camera of episode 1 failed."""


RATES = {"av1": ("libsvtav1", 10), "h264": ("h264", 30)}
"""By codec: lerobot's name of the encoder, and frames per second."""
EXPORTS = {"v3.0": ("v3.0", 1.0), "v2.1": ("v2.1", 1.0), "edits": ("v3.0", 0.0)}
"""By name: version and share of originals."""


@pytest.fixture(scope="module")
def read(lerobot, tmp_path_factory):
    """What lerobot reads of its own datasets and of their exports. It converts v2.1 first."""
    folder = tmp_path_factory.mktemp("exported")
    given = {"lengths": LENGTHS, "tasks": TASKS}
    lerobot.make(
        *(
            {"folder": folder / codec / "source", "codec": name, "fps": fps, **given}
            for codec, (name, fps) in RATES.items()
        )
    )
    for codec in RATES:
        source = folder / codec / "source"
        run = write_run(folder / codec / "run", source, failed=[(1, WRIST)], codec=codec)
        for name, (version, originals) in EXPORTS.items():
            to = Storage(str(folder / codec / name))
            dataset = open_dataset(Storage(str(source)))
            assert [*prepare(PublishedDataset(run), dataset, version, originals).run(to)]
    lerobot.convert(*(folder / codec / "v2.1" for codec in RATES))
    names = [(codec, name) for codec in RATES for name in ("source", *EXPORTS)]
    return dict(zip(names, lerobot.read(*(folder / c / n for c, n in names)), strict=True))


def frames(origin):
    """The source's episode and the frame of every frame of an export."""
    return [(episode, frame) for episode in origin for frame in range(LENGTHS[episode])]


@pytest.mark.parametrize("codec", RATES)
@pytest.mark.parametrize(
    ("name", "origin"), [("v3.0", ORIGIN), ("v2.1", ORIGIN), ("edits", ORIGIN[4:])]
)
def test_every_frame_has_its_columns_and_pictures(read, codec, name, origin):
    source, written = read[codec, "source"][0], read[codec, name][0]
    places = frames(origin)
    there = frames(range(len(LENGTHS)))
    rows = [there.index(place) for place in places]
    for column in ("observation.state", "action", "gripper", "note", "timestamp", "frame_index"):
        assert written[column].tobytes() == source[column][rows].tobytes()
    assert written["index"].tolist() == [*range(len(places))]
    numbers = [n for n, episode in enumerate(origin) for _ in range(LENGTHS[episode])]
    assert written["episode_index"].tolist() == numbers
    shift = len(ORIGIN) - len(origin)
    assert [*written["task"]] == [TEXTS[shift + number] for number in numbers]
    for camera, key in enumerate((TOP, WRIST, DEPTH)):
        assert [named(image) for image in written[key]] == [
            (episode, camera, frame) for episode, frame in places
        ]
        for number, (episode, frame), image in zip(numbers, places, written[key], strict=True):
            is_edit = number + shift >= 4 and key != DEPTH
            wanted = (edited_picture if is_edit else picture)(episode, camera, frame)
            assert np.abs(image.astype(int) - wanted).mean() < 8
            if not is_edit and name == "v3.0":
                assert (image == source[key][there.index((episode, frame))]).all()


@pytest.mark.parametrize("codec", RATES)
def test_statistics_are_those_of_the_frames_that_lerobot_decodes(read, codec):
    columns, told = read[codec, "edits"]
    for key in (TOP, WRIST):
        channels = columns[key].reshape(-1, 3) / 255
        stats = {name: np.ravel(value) for name, value in told["stats"][key].items()}
        assert stats["mean"] == pytest.approx(channels.mean(axis=0), abs=0.005)
        assert stats["std"] == pytest.approx(channels.std(axis=0), abs=0.005)
        assert stats["min"] == pytest.approx(channels.min(axis=0), abs=0.02)
        assert stats["max"] == pytest.approx(channels.max(axis=0), abs=0.02)
    for key in ("observation.state", "action", "index", "task_index", "episode_index"):
        values = columns[key].reshape(len(columns[key]), -1)
        for name in ("min", "max", "mean", "std"):
            wanted = getattr(values.astype(float), name)(axis=0)
            assert np.ravel(told["stats"][key][name]) == pytest.approx(wanted, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("codec", RATES)
def test_the_rate_and_the_codec_are_kept(read, codec):
    for name in EXPORTS:
        info = read[codec, name][1]["info"]
        assert (info["codebase_version"], info["fps"]) == ("v3.0", RATES[codec][1])
        assert info["total_frames"] == len(read[codec, name][0]["index"])
        assert info["features"][TOP]["info"]["video.codec"] == codec
