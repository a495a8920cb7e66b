"""Edits by a server that answers well, badly, late or never."""

import itertools
import json
import time
from concurrent.futures import ThreadPoolExecutor
from email.parser import BytesParser

import numpy as np
import pytest

from pipelines import plugins
from pipelines.config.loading import load_config
from pipelines.editors.base import build_editor, editor_revision
from pipelines.errors import ConfigError, RowError, RunError
from pipelines.media.encode import decode_video, encode_lossless, encode_video
from pipelines.schema import CLIPS, rows_table
from pipelines.stages.edit_clip import ClipEditor
from pipelines.storage import Storage
from tests.pipelines.support.servers import Served, endless, hang, hang_up, late
from tests.pipelines.support.videos import coded_frames

SHAPE = (4, 32, 48, 3)
FRAMES = np.random.default_rng(0).integers(0, 256, SHAPE, np.uint8)
EDITED = encode_lossless(255 - FRAMES, 8)
SMOOTH = encode_video(coded_frames(64, 64, 128), 8)
INFO = json.dumps({"name": "tiny", "revision": "r1"}).encode()
SOON = 20.0
"""Seconds. Servers that hang do it for a minute."""


def config(url, **limits):
    server = {"base_url": url, "timeout": 1.0, "attempts": 2, "total_timeout": 10.0} | limits
    return load_config(
        assignments=["editor=http", f"execution.edit_server={json.dumps(server)}"],
    )


def edit(settings, mask=None, target="a dog", seed=7):
    editor = build_editor(plugins.find_editor(settings), settings)
    begun = time.monotonic()
    try:
        return editor.edit(editor.invert(FRAMES, "a cat"), target, mask, seed)
    finally:
        assert time.monotonic() - begun < SOON


def fields(headers, body):
    """The parts of a form by name, as another library reads them."""
    head = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode()
    parts = BytesParser().parsebytes(head + body).get_payload()
    return {
        part.get_param("name", header="content-disposition"): part.get_payload(decode=True)
        for part in parts
    }


def test_a_request_has_the_clip_the_mask_and_all_that_an_editor_may_be_told():
    mask = np.random.default_rng(1).random(SHAPE[:3]) < 0.5
    with Served(EDITED) as server:
        assert np.array_equal(edit(config(server.url), mask), 255 - FRAMES)
        ((path, headers, body),) = server.requests
    sent = fields(headers, body)
    assert path == "/v1/edits"
    assert np.array_equal(decode_video(sent.pop("video")), FRAMES)
    white = decode_video(sent.pop("mask"))
    assert np.array_equal(white, np.where(mask, 255, 0)[..., None].repeat(3, -1))
    texts = {name: value.decode() for name, value in sent.items()}
    instruction = texts.pop("instruction")
    assert texts == {"source_prompt": "a cat", "target_prompt": "a dog", "seed": "7"}
    assert "cat" in instruction and "dog" in instruction


def test_an_edit_everywhere_has_no_mask():
    with Served(EDITED) as server:
        edit(config(server.url))
        assert set(fields(*server.requests[0][1:])) == {
            *("video", "source_prompt", "target_prompt", "instruction", "seed")
        }


def of_shape(length, height, width):
    return encode_video(np.zeros((length, height, width, 3), np.uint8), 8)


@pytest.mark.parametrize(
    ("bad", "requests", "reason"),
    [
        ((500, b"out of\n memory", {}), 2, "HTTP 500: out of memory"),
        ((422, b'{"type": "BadFrames"}', {}), 1, 'HTTP 422: {"type": "BadFrames"}'),
        ((200, b"<html>Hello</html>", {}), 2, "answered no video but <html>Hello</html>"),
        ((200, b"", {}), 2, "answered no video but nothing"),
        ((200, EDITED[: len(EDITED) // 2], {}), 2, "answered no video but a broken MP4"),
        ((200, SMOOTH[:2000], {}), 2, "answered no video but a broken MP4"),
        (of_shape(3, 32, 48), 1, "answered a video of 3 of 4 frames"),
        (of_shape(5, 32, 48), 1, "answered a video of more than 4 frames"),
        (of_shape(4, 48, 32), 1, "answered a video of 48 × 32 pixels"),
        (endless, 2, "answered more than 1000000 bytes"),
        (hang, 2, "no answer within 1 s"),
        (hang_up, 2, "disconnected"),
    ],
)
def test_anything_but_a_video_like_the_clip_fails_the_edit_with_the_reason(bad, requests, reason):
    with Served(bad) as server:
        with pytest.raises(RowError) as raised:
            edit(config(server.url, max_answer_mb=1))
        assert len(server.requests) == requests
    assert raised.value.type == "EndpointFailed" and reason in raised.value.message


@pytest.mark.parametrize(
    "bad", [(500, b"", {}), (429, b"busy", {"Retry-After": "1"}), (200, b"<html>", {}), hang_up]
)
def test_a_passing_fault_is_retried(bad):
    with Served(bad, EDITED) as server:
        assert np.array_equal(edit(config(server.url)), 255 - FRAMES)
        assert len(server.requests) == 2


def test_a_late_answer_in_time_is_an_edit():
    with Served(late(0.4, EDITED)) as server:
        assert np.array_equal(edit(config(server.url)), 255 - FRAMES)
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("bad", "reason"),
    [(hang, "no answer in time"), ((429, b"busy", {"Retry-After": "60"}), "HTTP 429: busy")],
)
def test_the_total_timeout_ends_every_edit(bad, reason):
    with Served(bad) as server:
        begun = time.monotonic()
        with pytest.raises(RowError, match=reason):
            edit(config(server.url, timeout=60, total_timeout=0.5))
        assert time.monotonic() - begun < 3


def test_the_revision_is_what_the_server_says_of_itself():
    with Served(INFO) as server:
        settings = config(server.url)
        assert editor_revision(plugins.find_editor(settings), settings) == "tiny r1"
        plugins.check_editor(settings)
        assert {path for path, *_ in server.requests} == {"/v1/info"}


@pytest.mark.parametrize("answer", [b"<html>", b"{}", b'{"name": "", "revision": "1"}'])
def test_a_server_without_a_revision_is_refused_before_any_work(answer):
    with Served(answer) as server, pytest.raises(RunError, match="no name and revision"):
        plugins.check_editor(config(server.url, attempts=1))


@pytest.mark.parametrize(
    ("assignments", "message"),
    [
        ([], "set execution.edit_server.base_url"),
        (["execution.edit_server.base_url=host:1"], "write it as http://"),
        (
            ["execution.edit_server.base_url=http://host:1/v1", "execution.deadline=60"],
            "total_timeout 1800 must be less than execution.deadline 60",
        ),
        (
            ["execution.edit_server.base_url=http://host:1/v1", "editor_options.strength=1"],
            "editor_options.strength: no such option of http",
        ),
    ],
)
def test_settings_that_cannot_work_are_refused_when_they_are_loaded(assignments, message):
    with pytest.raises(ConfigError, match=message):
        load_config(assignments=["editor=http", *assignments])


CLIPS_OF_TEST, FAULTS = 200, 20


def test_faults_in_a_tenth_of_the_edits_lose_and_double_nothing(tmp_path):
    faults = itertools.cycle([(500, b"broken"), (200, b"<html>"), (200, EDITED[:999]), hang])
    planned = {f"target {n:03}": next(faults) for n in range(0, CLIPS_OF_TEST, 10)}
    passing = {f"target {n:03}" for n in range(0, CLIPS_OF_TEST, 40)}
    met = set()

    def answer(handler, stopping):
        target = handler.body[handler.body.index(b"target ") :][:10].decode()
        fault = planned.get(target)
        if fault and not (target in passing and target in met):
            met.add(target)
            if fault is hang:
                return hang(handler, stopping)
            status, body = fault
        else:
            status, body = 200, EDITED
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    output = Storage(str(tmp_path))
    clip = {"row_id": "c", "source_video": encode_video(FRAMES, 8), "fps": 8.0}
    output.commit_table("clips/a.parquet", rows_table([clip], CLIPS))
    works = [
        {
            **{"clip_file": "clips/a.parquet", "clip_row": "c", "source_prompt": "a cat"},
            **{"edit_ids": [str(n)], "target_prompts": [f"target {n:03}"]},
            **{"target_wheres": ["subject"], "edit_lists": [None], "seeds": [n]},
        }
        for n in range(CLIPS_OF_TEST)
    ]
    with Served(answer) as server:
        editor = ClipEditor(config(server.url), output, plugins.find_editor(config(server.url)), "")
        with ThreadPoolExecutor(8) as workers:
            list(workers.map(editor, works))
    rows = [
        row
        for name in output.files("edits", ".parquet")
        for row in output.read_table(name).to_pylist()
    ]
    assert sorted(int(row["edit_id"]) for row in rows) == [*range(CLIPS_OF_TEST)]
    failed = {f"target {int(r['edit_id']):03}": r for r in rows if r["status"] == "failed"}
    assert failed.keys() == planned.keys() - passing and met == planned.keys()
    assert {row["error_type"] for row in failed.values()} == {"EndpointFailed"}
    assert all(row["edited_video"] for row in rows if row["status"] == "ok")
