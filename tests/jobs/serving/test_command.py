"""The command `strmatch serve-editor`, in a process of its own."""

import json
import re
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest
import ray.data

from jobs.runs import commands
from pipelines.config.loading import load_config
from pipelines.editors.base import build_editor
from pipelines.editors.http.editor import HttpEditor
from pipelines.errors import RowError
from pipelines.media.encode import decode_video
from tests.clusters import ROOT
from tests.pipelines.support.videos import shot, write_video

SLOW = "tests.pipelines.fakes.editors:Slow"


@contextmanager
def served(*settings):
    """Yields the process of a server on a free port, and its URL."""
    command = [sys.executable, "-m", "jobs.cli", "--log-format", "json"]
    command += ["serve-editor", "--port", "0"]
    command += [word for setting in settings for word in ("--set", setting)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        for line in process.stderr:
            if found := re.search(r"serving .* at (http://[^\s\"]+)", line):
                threading.Thread(target=process.stderr.read, daemon=True).start()
                yield process, found[1]
                break
        else:
            pytest.fail("the server ended")
    finally:
        process.kill()
        process.wait()


def http_settings(url):
    server = json.dumps({"base_url": url, "attempts": 1})
    return ["editor=http", f"execution.edit_server={server}"]


@pytest.mark.slow
def test_a_server_that_is_told_to_end_finishes_the_edits_that_it_has_accepted():
    frames = np.zeros((4, 16, 16, 3), np.uint8)
    with served(f"editor={SLOW}") as (process, url), ThreadPoolExecutor() as clients:
        settings = load_config(assignments=http_settings(url))
        editor = build_editor(HttpEditor, settings)
        clip = editor.invert(frames, "a cat")
        edits = [clients.submit(editor.edit, clip, f"dog {n}", None, 0) for n in range(3)]
        edits[0].result()
        process.send_signal(signal.SIGTERM)
        assert all((edit.result() == 255).all() for edit in edits)
        assert process.wait(30) == 0
        with pytest.raises(RowError, match="EndpointFailed"):
            editor.edit(clip, "a late dog", None, 0)


@pytest.mark.slow
def test_a_run_by_a_server_has_the_frames_of_a_run_without_it(tmp_path, ray_cluster):
    targets = ["a dog", "a horse"]
    rows = []
    for n in range(3):
        write_video(tmp_path / f"{n}.mp4", shot(n, 4, size=(64, 64)), fps=8)
        rows.append({"uri": f"{n}.mp4", "caption": "a cat", "targets": targets})
    (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, rows)))
    clips = ["clip.num_frames=4", "annotate.tracker=none", "publish.limits=null"]
    clips += ["measure.metrics=[]", "execution.gpus_per_editor=0"]
    # Other numbers of threads change the last bits of an edit.
    embedded = ["edit.num_inference_steps=2", "clip.num_frames=4", "execution.torch_threads=1"]

    def made(name, settings):
        config = load_config(assignments=[*clips, *settings])
        commands.run(str(tmp_path / "m.jsonl"), str(tmp_path / name), config, None)
        rows = ray.data.read_parquet(str(tmp_path / name / "dataset")).take_all()
        assert {row["status"] for row in rows} == {"ok"}
        return {
            (row["source_uri"], row["target_prompt"]): decode_video(row["edited_video"])
            for row in rows
        }

    alone = made("alone", embedded)
    with served(*embedded) as (_, url):
        by_server = made("by_server", http_settings(url))
    assert alone.keys() == by_server.keys() and len(alone) == 6
    assert all(np.array_equal(alone[edit], by_server[edit]) for edit in alone)
