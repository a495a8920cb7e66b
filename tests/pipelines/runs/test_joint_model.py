"""The preset of the small world's joint model, with random weights in the layout of training."""

import json

import numpy as np
import pandas as pd
import pytest

from pipelines.cluster import cluster
from pipelines.config.loading import load_config
from pipelines.errors import RunError
from pipelines.media.encode import encode_video
from pipelines.runs.open_run import open_run
from strmatch.miniature.long_scenes import lasting
from strmatch.miniature.scenes import Scene, Sprite, caption
from strmatch.miniature.world import render
from tests.joint_model import save_joint_model

FRAMES = 24
"""One and a half windows."""


def test_the_preset_without_weights_says_what_it_needs_in_one_line(tmp_path):
    (tmp_path / "clip.mp4").write_bytes(encode_video(np.zeros((16, 64, 64, 3), np.uint8), 8.0))
    with (
        pytest.raises(RunError, match="miniature-joint.* has no backbone: name a folder or URI"),
        open_run(str(tmp_path / "out"), load_config("miniature-joint"), str(tmp_path)),
    ):
        pass


@pytest.mark.slow
def test_a_run_edits_two_objects_of_a_long_clip_measures_them_and_resumes(tmp_path, ray_cluster):
    circle = Sprite("circle", "red", "right", 20.0, (14.0, 16.0), 24.0)
    star = Sprite("star", "blue", "left", 20.0, (48.0, 46.0), 24.0)
    scene = lasting(Scene((circle, star), "checks"), FRAMES, "stays")
    frames = render([scene], num_frames=FRAMES).frames[0].numpy()
    (tmp_path / "clip.mp4").write_bytes(encode_video(frames, 8.0))
    row = {"uri": "clip.mp4", "caption": caption(scene, without=("motion",))}
    (tmp_path / "manifest.jsonl").write_text(json.dumps(row))
    weights = tmp_path / "weights"
    save_joint_model(weights)
    settings = [
        f"backbone.weights={weights}",
        "edit.num_inference_steps=1",
        "clip.span=shot",
        "annotate.objects_per_edit=2",
        "annotate.targets_per_clip=1",
        "publish.limits=null",
    ]

    def run():
        config = load_config("miniature-joint", assignments=settings)
        output = tmp_path / "out"
        with (
            open_run(str(output), config, str(tmp_path / "manifest.jsonl")) as opened,
            cluster(opened.config.execution),
        ):
            opened.all_phases()
        dataset = pd.read_parquet(output / "dataset")
        files = [path for part in ("edits", "measures") for path in (output / part).iterdir()]
        return dataset, {path: path.stat().st_mtime_ns for path in files}

    rows, files = run()
    (edit,) = rows[rows["level"] == "edit"].to_dict("records")
    assert edit["status"] == "ok" and edit["num_frames"] == FRAMES
    assert len(edit["edits"]) == 2
    metrics = [edit[f"metric_{name}"] for name in ("edited", "changed", "subject_motion")]
    assert np.isfinite(metrics).all()
    again, same = run()
    assert same == files and len(again) == len(rows)
