"""A run by a server with faults, and its retry when the server is well again."""

import json

import pytest
import ray.data

from jobs.runs import commands
from pipelines.config.loading import load_config
from pipelines.media.encode import encode_lossless
from tests.pipelines.support.servers import Served, hang
from tests.pipelines.support.videos import shot, write_video

EDITED = encode_lossless(shot(9, 4, size=(64, 64)), 8)
INFO = json.dumps({"name": "tiny", "revision": "r1"}).encode()
FAULTS = {"dog": (500, b"broken"), "horse": (200, b"<html>"), "cow": (200, EDITED[:999])}
TARGETS = ["a bird", "a fish", *(f"a {animal}" for animal in FAULTS), "a sheep", "a goat"]


@pytest.mark.slow
def test_failed_edits_of_a_run_are_repeated_alone(tmp_path, ray_cluster):
    for n in range(2):
        write_video(tmp_path / f"{n}.mp4", shot(n, 4, size=(64, 64)), fps=8)
    rows = [{"uri": f"{n}.mp4", "caption": "a cat", "targets": TARGETS} for n in range(2)]
    (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, rows)))
    faults = FAULTS | {"sheep": hang}

    def answer(handler, stopping):
        status, body = 200, INFO if handler.path == "/v1/info" else EDITED
        for animal, fault in faults.items():
            if f"\r\n\r\na {animal}\r\n".encode() in handler.body:
                if fault is hang:
                    return hang(handler, stopping)
                status, body = fault
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def edits():
        found = ray.data.read_parquet(str(tmp_path / "out" / "dataset")).take_all()
        assert len({row["row_id"] for row in found}) == len(found) == 2 * len(TARGETS)
        assert {row["model_revision"] for row in found} == {"tiny r1"}
        return {status: [r for r in found if r["status"] == status] for status in ("ok", "failed")}

    with Served(answer) as served:
        server = {"base_url": served.url, "timeout": 2.0, "attempts": 2, "total_timeout": 20}
        settings = [
            *("editor=http", f"execution.edit_server={json.dumps(server)}"),
            *("clip.num_frames=4", "annotate.tracker=none", "publish.limits=null"),
            *("measure.metrics=[]", "execution.gpus_per_editor=0"),
        ]
        config = load_config(assignments=settings)
        commands.run(str(tmp_path / "m.jsonl"), str(tmp_path / "out"), config, None)
        failed = edits()["failed"]
        assert sorted(row["target_prompt"] for row in failed) == sorted(
            2 * [f"a {animal}" for animal in faults]
        )
        assert {row["error_type"] for row in failed} == {"EndpointFailed"}
        faults.clear()
        served.requests.clear()
        commands.retry(str(tmp_path / "out"), [], [])
        assert len(edits()["ok"]) == 2 * len(TARGETS)
        asked = [path for path, *_ in served.requests if path == "/v1/edits"]
        assert len(asked) == len(failed)
