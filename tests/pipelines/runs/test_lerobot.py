"""A LeRobot dataset, edited by the embedded model and exported as a LeRobot dataset."""

import json

import numpy as np
import pandas as pd
import pytest

from pipelines.cluster import cluster
from pipelines.config.loading import load_config
from pipelines.exports.edits import PublishedDataset
from pipelines.exports.lerobot.export import prepare
from pipelines.media.video.opening import open_video
from pipelines.runs.open_run import open_run
from pipelines.sources.lerobot.dataset import open_dataset
from pipelines.storage import Storage
from tests.pipelines.support.lerobot import DEPTH, RED, TOP, WRIST, write_dataset
from tests.pipelines.support.pictures import SIZE

SETTINGS = ["clip.span=shot", "publish.size=source", "clip.num_frames=8", "clip.height=64"]
SETTINGS += ["clip.width=64", "annotate.tracker=none", "annotate.mask_check.required=false"]
SETTINGS += ["annotate.targets_per_clip=1", "edit.num_inference_steps=1"]
SETTINGS += ["measure.metrics=[]", "publish.limits=null", "input.episodes=[0, 2]"]
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("ray_cluster")]


def test_the_round_trip_of_a_dataset(tmp_path):
    folder = write_dataset(tmp_path / "source", lengths=(12, 9, 10), tasks=(RED, RED, RED))
    config, output = load_config(assignments=SETTINGS), str(tmp_path / "run")
    with (
        open_run(output, config, f"lerobot://{folder}") as opened,
        cluster(config.execution),
    ):
        opened.all_phases()
    rows = pd.read_parquet(f"{output}/dataset")
    assert rows.status.tolist() == ["ok"] * 4, rows.error_message
    assert {*zip(rows.lerobot_episode, rows.lerobot_camera, rows.num_frames, strict=True)} == {
        (0, TOP, 12), (0, WRIST, 12), (2, TOP, 10), (2, WRIST, 10)
    }  # fmt: skip
    targets = rows.groupby("lerobot_episode").target_prompt.agg(set)
    assert all(len(prompts) == 1 for prompts in targets)
    to, source = Storage(str(tmp_path / "to")), open_dataset(Storage(str(folder)))
    export = prepare(PublishedDataset(Storage(output)), source, "v3.0", 1.0)
    assert len([*export.run(to)]) == 1
    written = open_dataset(to)
    assert [episode.length for episode in written.episodes] == [12, 9, 10, 12, 10]
    assert {written.episodes[3].tasks[0]} == targets[0] and targets[0] != {RED}
    told = json.loads(to.read("meta/augmentation.json"))["episodes"][3]
    assert told["cameras"][TOP]["editor_settings"]["num_inference_steps"] == 1
    with open_video(str(folder / source.episodes[0].videos[TOP].file)) as video:
        before = video.frames(range(12))
    place = written.episodes[3].videos[TOP]
    with open_video(to.path(place.file)) as video:
        after = video.frames(range(place.first_frame, place.first_frame + 12))
    assert after.shape == (12, SIZE, SIZE, 3)
    assert np.abs(after.astype(int) - before).mean() > 5, "the edit is what is exported"
    assert written.episodes[3].videos[DEPTH].file == source.episodes[0].videos[DEPTH].file
