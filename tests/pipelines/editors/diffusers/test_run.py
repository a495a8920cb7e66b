"""A run whose editor is a tiny random pipeline of diffusers."""

import json

import numpy as np
import pytest
import ray.data

from jobs.runs import commands
from pipelines.config.loading import load_config
from pipelines.media import masks
from pipelines.media.encode import decode_video
from tests.pipelines.editors.diffusers.tiny import OPTIONS, save
from tests.pipelines.support.videos import coded_frames, write_video

NAME = "WanVACEPipeline"


@pytest.mark.slow
def test_a_run_by_a_pipeline_keeps_length_rate_and_background(tmp_path, ray_cluster):
    write_video(tmp_path / "a.mp4", coded_frames(22, 96, 160), fps=24)
    inside = np.zeros((22, 96, 160), bool)
    inside[:, 40:80, 60:120] = True
    (tmp_path / "a.json").write_text(json.dumps(masks.encode(inside)))
    row = {"uri": "a.mp4", "mask_uri": "a.json", "caption": "a cat", "targets": ["a dog"]}
    (tmp_path / "m.jsonl").write_text(json.dumps(row))
    options = {"pipeline": NAME, "model": str(save(NAME, tmp_path / "model")), **OPTIONS[NAME]}
    options["mask"] = {"dilation": 0}
    settings = [
        *("editor=diffusers", f"editor_options={json.dumps(options)}", "publish.limits=null"),
        *("clip.span=shot", "clip.height=96", "clip.width=160", "clip.min_seconds=0.5"),
        *("measure.metrics=[background_difference]", "execution.gpus_per_editor=0"),
    ]
    config = load_config(assignments=settings)
    commands.run(str(tmp_path / "m.jsonl"), str(tmp_path / "out"), config, None)
    (made,) = ray.data.read_parquet(str(tmp_path / "out" / "dataset")).take_all()
    assert (made["status"], made["editor"], made["fps"]) == ("ok", "diffusers", 24.0)
    assert json.loads(made["editor_settings"])["pipeline"] == NAME
    source, edited = (decode_video(made[f"{name}_video"]) for name in ("source", "edited"))
    assert source.shape == edited.shape == (22, 96, 160, 3)
    assert made["metric_background_difference"] < 3
    change = np.abs(edited.astype(int) - source)[inside].mean()
    assert change > 20
