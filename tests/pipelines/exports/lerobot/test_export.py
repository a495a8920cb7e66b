import json
import random
from itertools import product

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.errors import RunError
from pipelines.exports.edits import PublishedDataset
from pipelines.exports.lerobot.export import prepare
from pipelines.media.video.opening import open_video
from pipelines.sources.lerobot.dataset import open_dataset
from pipelines.storage import Storage
from tests.pipelines.exports.folders import content
from tests.pipelines.exports.test_base import FailingStorage, Killed
from tests.pipelines.support.lerobot import DEPTH, DRAWER, LENGTHS, RED, TOP, WRIST, write_dataset
from tests.pipelines.support.lerobot_runs import edited_picture, write_run
from tests.pipelines.support.pictures import named, picture

BLUE, CUPBOARD = "Pick up the blue cube.", "Open the cupboard"
VERSIONS = ("v3.0", "v2.1")
LEFT_OUT = 1
"""The episode whose edit of one camera failed."""
UNTOUCHED = ("observation.state", "action", "gripper", "note", "timestamp", "frame_index")


def export(run, source, to, version="v3.0", originals=1.0):
    """Returns the number of parts."""
    dataset = open_dataset(Storage(str(source)))
    made = prepare(PublishedDataset(run), dataset, version, originals)
    return len([*made.run(to)])


class Made:
    """An export of each version of a source to each version, of edits and originals."""

    def __init__(self, folder):
        self.folder = folder
        for version in VERSIONS:
            write_dataset(self.source(version), version)
            write_run(folder / f"run {version}", self.source(version), [(LEFT_OUT, WRIST)])
        for before, after in product(VERSIONS, VERSIONS):
            export(self.run(before), self.source(before), Storage(self.to(before, after)), after)

    def source(self, version):
        return self.folder / f"source {version}"

    def run(self, version):
        return Storage(str(self.folder / f"run {version}"))

    def to(self, before, after):
        return str(self.folder / f"{before} as {after}")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return Made(tmp_path_factory.mktemp("made"))


@pytest.fixture(params=[*product(VERSIONS, VERSIONS)], ids=" as ".join)
def exported(request, made):
    """The source and the export, as datasets."""
    before, _ = request.param
    return tuple(
        open_dataset(Storage(str(folder)))
        for folder in (made.source(before), made.to(*request.param))
    )


def frames(dataset, episode):
    wanted = [("episode_index", "=", episode.number)]
    return dataset.storage.read_table(episode.data_file, filters=wanted)


ORIGIN = [0, 1, 2, 3, 0, 2, 3]
"""The source's episode of each episode: all originals, then those edited in both cameras."""


def test_originals_come_first_and_edits_of_all_cameras_follow(exported):
    _, written = exported
    assert [episode.length for episode in written.episodes] == [LENGTHS[n] for n in ORIGIN]
    tasks = [episode.tasks for episode in written.episodes]
    assert tasks == [(text,) for text in (RED, DRAWER, RED, DRAWER, BLUE, BLUE, CUPBOARD)]
    assert written.info["total_frames"] == sum(LENGTHS[n] for n in ORIGIN)
    assert written.info["total_tasks"] == 4
    assert written.info["splits"] == {"train": "0:7"}


def test_every_column_but_counters_is_equal_to_the_last_bit(exported):
    source, written = exported
    first = 0
    for episode, origin in zip(written.episodes, ORIGIN, strict=True):
        here, there = frames(written, episode), frames(source, source.episodes[origin])
        assert here.schema.names == there.schema.names
        for name in UNTOUCHED:
            assert here[name].equals(there[name])
        length = len(here)
        assert here["index"].to_pylist() == [*range(first, first + length)]
        assert {*here["task_index"].to_pylist()} == {
            [RED, DRAWER, BLUE, CUPBOARD].index(episode.tasks[0])
        }
        assert here.schema.types == there.schema.types
        first += length


def test_every_timestamp_shows_its_frame(exported):
    _, written = exported
    for episode, origin in zip(written.episodes, ORIGIN, strict=True):
        timestamps = frames(written, episode)["timestamp"].to_numpy()
        for camera, name in enumerate((TOP, WRIST, DEPTH)):
            place = episode.videos[name]
            with open_video(str(written.storage.path(place.file))) as video:
                asked = place.first_frame / 10 + timestamps.astype(float)
                found = [int(np.abs(video.timestamps - at).argmin()) for at in asked]
                assert np.abs(video.timestamps[found] - asked).max() < 1e-4
                shown = video.frames(found)
            assert [named(image) for image in shown] == [
                (origin, camera, frame) for frame in range(episode.length)
            ]
            edited = episode.number >= 4 and name != DEPTH
            made = edited_picture if edited else picture
            wanted = np.stack([made(origin, camera, frame) for frame in range(episode.length)])
            assert np.abs(shown.astype(int) - wanted).mean() < 4


def test_files_of_the_source_are_copied_verbatim(made):
    for version in VERSIONS:
        copied = content(made.to(version, version))
        for name, data in content(made.source(version)).items():
            if name.startswith("videos/"):
                assert copied[name] == data


def test_edits_can_be_decoded_from_every_second_frame(made):
    import av

    (name,) = (n for n in content(made.to("v3.0", "v3.0")) if TOP in n and "chunk-001" in n)
    with av.open(f"{made.to('v3.0', 'v3.0')}/{name}") as file:
        keys = [packet.is_keyframe for packet in file.demux(video=0) if packet.size]
    assert len(keys) == 12 + 12 + 15 and sum(keys) == 6 + 6 + 8


def test_starts_are_whole_frames_by_the_rate(made):
    table = pq.read_table(f"{made.to('v3.0', 'v3.0')}/meta/episodes")
    starts = table[f"videos/{TOP}/from_timestamp"].to_pylist()
    assert starts == [0, 12 / 10, 21 / 10, 0, 0, 12 / 10, 24 / 10]
    ends = table[f"videos/{TOP}/to_timestamp"].to_pylist()
    assert ends == [12 / 10, 21 / 10, 33 / 10, 15 / 10, 12 / 10, 24 / 10, 39 / 10]


def test_the_origin_of_every_episode_is_recorded(exported):
    _, written = exported
    told = json.loads(written.storage.read("meta/augmentation.json"))["episodes"]
    assert [one["source_episode_index"] for one in told] == ORIGIN
    assert [one["synthetic"] for one in told] == [False] * 4 + [True] * 3
    top = told[4]["cameras"][TOP]
    assert (top["target_prompt"], top["editor"], top["seed"]) == (BLUE, "str_match", 7)
    assert top["metrics"] == {"background": 0.25} and top["editor_settings"] == {"lam": 0.5}
    assert told[4]["cameras_left_alone"] == []


def test_a_camera_that_was_not_edited_is_recorded_as_left_alone(tmp_path):
    source = write_dataset(tmp_path / "source")
    run, to = write_run(tmp_path / "run", source, cameras=[TOP]), tmp_path / "to"
    export(run, source, Storage(str(to)), originals=0.0)
    told = json.loads((to / "meta/augmentation.json").read_text())["episodes"]
    assert len(told) == 4
    assert all(one["cameras_left_alone"] == [WRIST] for one in told)
    assert all([*one["cameras"]] == [TOP] for one in told)
    wrist = f"videos/{WRIST}/chunk-000/file-000.mp4"
    assert content(to)[wrist] == content(source)[wrist]
    info = json.loads((to / "meta/info.json").read_text())
    assert info["total_episodes"] == 4


@pytest.mark.parametrize(("share", "count"), [(0.0, 0), (0.5, 2), (1.0, 4)])
def test_a_share_of_the_originals_is_mixed_in(made, tmp_path, share, count):
    export(made.run("v3.0"), made.source("v3.0"), Storage(str(tmp_path / "to")), originals=share)
    written = open_dataset(Storage(str(tmp_path / "to")))
    assert len(written.episodes) == count + 3


def test_statistics_of_edits_are_those_of_their_pixels(exported):
    source, written = exported
    told = json.loads(written.storage.read("meta/augmentation.json"))["episodes"]
    for episode, origin in zip(written.episodes, ORIGIN, strict=True):
        stats, before = stats_of(written, episode.number), stats_of(source, origin)
        assert stats["action"] == before["action"] and stats[DEPTH] == before[DEPTH]
        assert stats["episode_index"]["mean"] == [episode.number]
        if not told[episode.number]["synthetic"]:
            assert stats[TOP] == before[TOP]
            continue
        pixels = np.stack([edited_picture(origin, 0, frame) for frame in range(episode.length)])
        channels = pixels.reshape(-1, 3) / 255
        assert np.ravel(stats[TOP]["mean"]) == pytest.approx(channels.mean(axis=0), abs=0.01)
        assert np.ravel(stats[TOP]["std"]) == pytest.approx(channels.std(axis=0), abs=0.01)
        assert np.shape(stats[TOP]["q01"]) == (3, 1, 1)
        assert stats[TOP]["count"] == [episode.length]
        assert stats[TOP].keys() == before[TOP].keys()


def stats_of(dataset, number):
    if dataset.version == "v2.1":
        lines = dataset.storage.read("meta/episodes_stats.jsonl").splitlines()
        return json.loads(lines[number])["stats"]
    row = pq.read_table(dataset.storage.path("meta/episodes")).slice(number, 1).to_pylist()[0]
    found = {}
    for name, value in row.items():
        if name.startswith("stats/"):
            feature, _, statistic = name.removeprefix("stats/").rpartition("/")
            found.setdefault(feature, {})[statistic] = value
    return found


def test_statistics_of_all_frames_are_those_of_all_episodes(made):
    total = json.loads((made.folder / "v3.0 as v3.0/meta/stats.json").read_text())
    written = open_dataset(Storage(made.to("v3.0", "v3.0")))
    tables = [frames(written, episode) for episode in written.episodes]
    actions = np.array(pa.concat_tables(tables)["action"].to_pylist())
    assert total["action"]["mean"] == pytest.approx(actions.mean(axis=0))
    assert total["action"]["std"] == pytest.approx(actions.std(axis=0))
    assert total["action"]["min"] == actions.min(axis=0).tolist()
    assert total["index"]["count"] == [len(actions)]


def test_metadata_that_are_not_known_are_copied(tmp_path):
    source = write_dataset(tmp_path / "source")
    (source / "meta/subtasks.parquet").write_bytes(b"of a later version")
    episodes = source / "meta/episodes/chunk-000/file-000.parquet"
    table = pq.read_table(episodes)
    quality = pa.array([0.1, 0.2, 0.3, 0.4], pa.float32())
    pq.write_table(table.append_column("quality", quality), episodes)
    export(write_run(tmp_path / "run", source), source, Storage(str(tmp_path / "to")), originals=0)
    assert (tmp_path / "to/meta/subtasks.parquet").read_bytes() == b"of a later version"
    written = pq.read_table(tmp_path / "to/meta/episodes")
    assert written["quality"].combine_chunks() == quality


def test_an_export_killed_at_any_write_continues_to_the_same_bytes(made, tmp_path, monkeypatch):
    monkeypatch.setattr("pipelines.exports.lerobot.layout.V30.frames_per_part", 20)
    source, run = made.source("v3.0"), made.run("v3.0")
    export(run, source, Storage(str(tmp_path / "whole")))
    whole, rng, kills = content(tmp_path / "whole"), random.Random(0), 0
    while "_SUCCESS" not in content(tmp_path / "again"):
        try:
            export(run, source, FailingStorage(str(tmp_path / "again"), rng.randint(1, 9)))
        except Killed:
            kills += 1
            assert "_SUCCESS" not in content(tmp_path / "again")
    assert kills > 1 and content(tmp_path / "again") == whole
    assert export(run, source, Storage(str(tmp_path / "again"))) == 0


def test_an_object_store_gets_the_same_bytes(made):
    to = Storage("memory://exports/lerobot")
    export(made.run("v3.0"), made.source("v3.0"), to)
    names = to.fs.find(to.root)
    found = {name[len(to.root) + 1 :]: to.fs.cat_file(name) for name in names}
    assert found == content(made.to("v3.0", "v3.0"))
    to.fs.rm(to.root, recursive=True)


def test_what_cannot_be_exported_is_refused(made, tmp_path):
    run, source = made.run("v3.0"), made.source("v3.0")
    other = write_dataset(tmp_path / "other", lengths=(8, 9, 10, 11))
    with pytest.raises(RunError, match="is not the LeRobot dataset that the run edited"):
        export(run, other, Storage(str(tmp_path / "to")))
    small = write_run(tmp_path / "small", source, size=32)
    with pytest.raises(RunError, match="32 × 32 pixels, .* has 64 × 64: .* publish.size=source"):
        export(small, source, Storage(str(tmp_path / "to")))
    none = write_run(tmp_path / "none", source, [(episode, TOP) for episode in range(4)])
    with pytest.raises(RunError, match="no episode has an edit that is ok in all of"):
        export(none, source, Storage(str(tmp_path / "to")))


def test_an_episode_without_a_keyframe_is_not_cut(tmp_path):
    source = write_dataset(tmp_path / "source", starts_with_keyframe=False)
    run = write_run(tmp_path / "run", source)
    with pytest.raises(RunError, match=r"frame \d+ is no keyframe, .*: export with --version v3.0"):
        export(run, source, Storage(str(tmp_path / "to")), "v2.1")


def test_a_damaged_copy_is_found_when_it_is_read_back(made, tmp_path, monkeypatch):
    def shifted(*arguments):
        edits, fps = arguments[1], arguments[2]
        return original(arguments[0], edits, fps * 1.01, *arguments[3:])

    original = __import__("pipelines.exports.lerobot.videos", fromlist=["write_edits"]).write_edits
    monkeypatch.setattr("pipelines.exports.lerobot.write_part.write_edits", shifted)
    with pytest.raises(RunError, match="frame 1 of an episode is not found at 0.100000 s"):
        export(made.run("v3.0"), made.source("v3.0"), Storage(str(tmp_path / "to")))
    assert "_SUCCESS" not in content(tmp_path / "to")
