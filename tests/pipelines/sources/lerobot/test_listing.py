import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.config.input import Input
from pipelines.config.loading import load_config
from pipelines.errors import ConfigError, InputError
from pipelines.media.encode import decode_video
from pipelines.reliability.deadline import Deadline
from pipelines.sources.listing import find_sources, input_address, list_sources
from pipelines.stages.find_clips import FindClips
from pipelines.stages.target import Target
from tests.pipelines.support.lerobot import DRAWER, LENGTHS, RED, TOP, WRIST, write_dataset
from tests.pipelines.support.pictures import SIZE, named

SHOT = ["clip.span=shot", f"clip.height={SIZE}", f"clip.width={SIZE}"]


def listed(folder, **chosen):
    return find_sources(f"lerobot://{folder}", {}, None, Input(**chosen)).to_pylist()


@pytest.fixture(params=["v3.0", "v2.1"])
def dataset(request, tmp_path):
    return write_dataset(tmp_path / "dataset", request.param)


def test_a_source_is_an_episode_as_one_camera_shows_it(dataset):
    sources = listed(dataset)
    takes = [(row["lerobot_episode"], row["lerobot_camera"]) for row in sources]
    assert takes == [(episode, camera) for episode in range(4) for camera in (TOP, WRIST)]
    assert [row["num_frames"] for row in sources[::2]] == [*LENGTHS]
    assert [row["caption"] for row in sources[::2]] == [RED, DRAWER, RED, DRAWER]
    assert len({row["source_row"] for row in sources}) == 8
    groups = [row["target_group"] for row in sources]
    assert groups[::2] == groups[1::2] and len({*groups}) == 4


def test_a_clip_has_every_frame_of_its_episode_and_no_other(dataset):
    """Whole files are noise to shot detection: a span that is given is never cut."""
    config = load_config(assignments=SHOT)
    find = FindClips(config.clip, {}, Deadline(600))
    for source in listed(dataset):
        (row,) = find(source)
        assert row["status"] == "ok", row["error_message"]
        frames = decode_video(row["source_video"])
        episode, camera = source["lerobot_episode"], (TOP, WRIST).index(source["lerobot_camera"])
        wanted = [(episode, camera, frame) for frame in range(LENGTHS[episode])]
        assert [named(frame) for frame in frames] == wanted
        assert row["fps"] == 10 and row["timestamps"] is None


def test_cameras_of_an_episode_get_the_same_targets(dataset):
    def prompter(prompt, subject, count, seed):
        from pipelines.target_prompt import TargetPrompt

        return [TargetPrompt(f"{prompt} {seed}")]

    target = Target(prompter, 1, seed=0)
    shown = {"source_prompt": RED, "subject": None, "targets": None}
    found = [
        target({**shown, "clip_id": str(at), "target_group": row["target_group"]})["targets"]
        for at, row in enumerate(listed(dataset))
    ]
    assert found[::2] == found[1::2]
    assert len({targets[0]["prompt"] for targets in found}) == 4


def test_episodes_cameras_and_a_share_are_chosen(dataset):
    sources = listed(dataset, episodes=(0, "2-3"), cameras=(WRIST,))
    assert [(row["lerobot_episode"], row["lerobot_camera"]) for row in sources] == [
        (episode, WRIST) for episode in (0, 2, 3)
    ]
    half = [row["lerobot_episode"] for row in listed(dataset, share=0.5)]
    assert half == [row["lerobot_episode"] for row in listed(dataset, share=0.5)]
    assert len({*half}) == 2 and len(half) == 4
    assert all(row["caption"] is None for row in listed(dataset, caption="captioner"))


def test_a_float_that_drifted_names_the_frame_it_is_nearest_to(tmp_path):
    """Recorders add floats: three times 0.3 is not 0.9."""
    folder = write_dataset(tmp_path / "dataset", "v3.0", [3] * 4, [RED] * 4, episodes_per_file=4)
    written = pq.read_table(folder / "meta/episodes")[f"videos/{TOP}/from_timestamp"].to_pylist()
    assert written[3] != 0.9
    starts = [row["start_seconds"] for row in listed(folder, cameras=(TOP,))]
    assert starts == [0, 3 / 10, 6 / 10, 9 / 10]


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        ({"episodes": (9,)}, "there is no episode 9; the dataset has 4 episodes"),
        ({"cameras": ("front",)}, "has no camera 'front'; it has"),
        ({"cameras": ("observation.images.depth",)}, "has no camera 'observation.images.depth'"),
    ],
)
def test_what_a_dataset_lacks_is_named(dataset, chosen, told):
    with pytest.raises(InputError, match=told):
        listed(dataset, **chosen)


def test_a_folder_that_is_no_dataset_is_named(tmp_path):
    with pytest.raises(InputError, match="meta/info.json is missing"):
        listed(tmp_path)
    folder = write_dataset(tmp_path / "dataset")
    info = json.loads((folder / "meta/info.json").read_text())
    (folder / "meta/info.json").write_text(json.dumps(info | {"codebase_version": "v1.6"}))
    with pytest.raises(InputError, match="format v1.6 is not read, only v3.0 and v2.1"):
        listed(folder)
    told = {name: value for name, value in info.items() if name != "fps"}
    (folder / "meta/info.json").write_text(json.dumps(told))
    with pytest.raises(InputError, match="meta/info.json lacks fps"):
        listed(folder)
    (folder / "meta/info.json").write_text("{")
    with pytest.raises(InputError, match="meta/info.json is not JSON"):
        listed(folder)
    (folder / "meta/info.json").write_text(json.dumps(info | {"total_episodes": 5}))
    with pytest.raises(InputError, match="counts 5 episodes, meta lists 4"):
        listed(folder)


def test_an_episode_without_a_video_is_named(tmp_path):
    folder = write_dataset(tmp_path / "dataset")
    episodes = folder / "meta/episodes/chunk-000/file-000.parquet"
    table, name = pq.read_table(episodes), f"videos/{WRIST}/from_timestamp"
    place = table.column_names.index(name)
    pq.write_table(table.set_column(place, name, pa.array([0, 1.2, None, 0])), episodes)
    with pytest.raises(InputError, match=f"episode 2 has no video of {WRIST}"):
        listed(folder)


def test_settings_must_suit_the_input(dataset, tmp_path):
    with pytest.raises(ConfigError, match="give --set clip.span=shot"):
        list_sources(f"lerobot://{dataset}", load_config())
    with pytest.raises(ConfigError, match="are for inputs lerobot"):
        list_sources(str(tmp_path), load_config(assignments=["input.share=0.5"]))
    assert len(list_sources(f"lerobot://{dataset}", load_config(assignments=SHOT))) == 8


def test_a_local_folder_is_recorded_with_its_whole_path(dataset, monkeypatch):
    monkeypatch.chdir(dataset.parent)
    assert input_address("lerobot://dataset") == f"lerobot://{dataset}"
    assert input_address("lerobot://someone/dataset@v3.0") == "lerobot://someone/dataset@v3.0"
