"""The default limits of the embedded preset, on edits whose truth is known."""

import json

import numpy as np
import pandas as pd
import pytest

from jobs.evaluation.miniature import faults
from pipelines.cluster import cluster
from pipelines.config.loading import load_config
from pipelines.media import masks
from pipelines.media.encode import decode_video, encode_video
from pipelines.runs.open_run import open_run, reopen_run
from strmatch.miniature.scenes import caption
from strmatch.miniature.world import render
from tests.pipelines.fakes.outcomes import name

SCENES = 22
"""Every second one has its counterfactual, every other one the next of the faults."""


def write(folder):
    """Write clips, masks, edits and a manifest; returns the outcome of every clip."""
    rows, made = [], {}
    for index in range(SCENES):
        case = faults.draw(index, "test", seed=26)
        every = faults.outcomes(case)
        wrong = [outcome for outcome in faults.FAULTS if outcome in every]
        outcome = faults.RIGHT if index % 2 else wrong[(index // 2) % len(wrong)]
        frames = faults.frames_of(case.source)
        video = encode_video(frames, 8.0, crf=0)
        (folder / f"{index}.mp4").write_bytes(video)
        mask = render([case.source]).masks[0, 0].numpy()
        (folder / f"{index}.json").write_text(json.dumps(masks.encode(mask)))
        prompts = caption(case.source), caption(case.target)
        stored = decode_video(encode_video(decode_video(video), 8.0, load_config().clip.crf))
        np.save(folder / name(*prompts, stored), every[outcome])
        rows.append(
            {"uri": f"{index}.mp4", "mask_uri": f"{index}.json", "caption": prompts[0]}
            | {"targets": [{"prompt": prompts[1], "where": case.where}]}
        )
        made[f"{index}.mp4"] = outcome
    (folder / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return made


@pytest.mark.slow
def test_rows_that_are_ok_show_their_target_prompt(tmp_path, ray_cluster):
    made = write(tmp_path)
    editor = "editor=tests.pipelines.fakes.outcomes:Prepared"
    settings = [editor, f"editor_options.folder={tmp_path}", "clip.skip_static=null"]
    config, output = load_config(assignments=settings), str(tmp_path / "out")
    with (
        open_run(output, config, str(tmp_path / "manifest.jsonl")) as opened,
        cluster(config.execution),
    ):
        opened.all_phases()
    rows = pd.read_parquet(tmp_path / "out" / "dataset").set_index("source_uri")
    assert {*rows["status"]} == {"ok", "rejected"}, rows["error_message"].tolist()
    right = {uri for uri, outcome in made.items() if outcome == faults.RIGHT}
    ok = {*rows.index[rows["status"] == "ok"]}
    assert not ok - right, [(made[uri], rows.loc[uri, "target_prompt"]) for uri in ok - right]
    refused = rows.loc[sorted(right - ok)]
    assert len(refused) <= len(right) // 10, refused["error_message"].tolist()
    rejected = rows[rows["status"] == "rejected"]
    assert {*rejected["error_type"]} == {"OutOfLimits"}
    assert rejected["error_message"].str.contains("publish.limits").all()
    assert rejected["edited_video"].notna().all()
    # One setting takes them in, without editing or measuring.
    with reopen_run(output, ["publish.limits=null"]) as opened, cluster(config.execution):
        opened.run_phases(["publish"])
    assert pd.read_parquet(tmp_path / "out" / "dataset")["status"].eq("ok").all()
