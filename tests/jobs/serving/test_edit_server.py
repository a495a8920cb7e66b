"""The server of edits: the same edits as without it, one at a time, and every refusal."""

import http.client
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar
from urllib.parse import urlsplit

import numpy as np
import openapi_spec_validator
import pytest

from jobs.serving.edit_server import Limits, describe
from pipelines import plugins
from pipelines.config.loading import load_config
from pipelines.editors.base import build_editor
from pipelines.editors.http.editor import HttpEditor
from pipelines.editors.http.protocol import Texts, encode_mask
from pipelines.errors import RowError
from pipelines.media.encode import decode_video, encode_lossless, frame_rate
from tests.jobs.serving.servers import SPEC, check_response, serving
from tests.pipelines.fakes.editors import Invert

FRAMES = np.random.default_rng(0).integers(0, 256, (4, 16, 24, 3), np.uint8)
TEXTS = {"source_prompt": "a cat", "target_prompt": "a dog", "instruction": "Now.", "seed": "3"}
VIDEO = encode_lossless(FRAMES, 12)
LIMITS = Limits(queue=1, request_mb=1)


class Held(Invert):
    """Waits until the test lets it go on. Fails as the target demands."""

    begun = threading.Semaphore(0)
    released = threading.Event()
    edited: ClassVar[list[str]] = []

    def edit(self, inversion, target_prompt, mask, seed):
        self.begun.release()
        assert self.released.wait(30)
        self.edited.append(target_prompt)
        if target_prompt == "refuse":
            raise RowError("TooDark", "the clip is\n black")
        if target_prompt == "fail":
            raise ValueError("no luck")
        if target_prompt == "short":
            return inversion[1:]
        return super().edit(inversion, target_prompt, mask, seed)


@pytest.fixture
def held():
    Held.begun = threading.Semaphore(0)
    Held.released.clear()
    Held.edited.clear()
    return load_config(assignments=[f"editor={__name__}:Held"])


@pytest.fixture
def free(held):
    Held.released.set()
    return held


def request(url, path, body=None, headers=None, method=None):
    """Status, headers and body of a response, which the OpenAPI file describes."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    method = method or ("GET" if body is None else "POST")
    connection.request(method, f"/v1{path}", body, headers or {})
    response = connection.getresponse()
    found = response.status, dict(response.headers), response.read()
    connection.close()
    check_response(method, f"/v1{path}", *found)
    return found


def form(files=None, **texts):
    """Body and headers of a request for an edit; a text that is None is left out."""
    given = {name: text for name, text in (TEXTS | texts).items() if text is not None}
    files = {"video": VIDEO} if files is None else files
    parts = [(f'name="{name}"', text.encode()) for name, text in given.items()]
    parts += [(f'name="{name}"; filename="{name}.mp4"', data) for name, data in files.items()]
    body = b"".join(
        b"--edge\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n" % (head.encode(), data)
        for head, data in parts
    )
    return body + b"--edge--\r\n", {"Content-Type": "multipart/form-data; boundary=edge"}


def test_the_protocol_is_a_valid_openapi_file_of_the_routes_and_messages_there_are(free):
    openapi_spec_validator.validate(SPEC)
    with serving(free, LIMITS) as (server, _):
        routes = {
            (route.resource.canonical, route.method)
            for route in server.application().router.routes()
            if route.method != "HEAD"
        }
    described = {(path, m.upper()) for path, methods in SPEC["paths"].items() for m in methods}
    assert routes == described
    fields = SPEC["components"]["schemas"]["Edit"]
    assert {*fields["properties"]} == {*Texts.model_fields, "video", "mask"}
    assert {*fields["required"]} == {*Texts.model_fields, "video"}


def test_an_edit_by_the_server_is_the_edit_of_the_embedded_editor():
    settings = ["clip.num_frames=4", "edit.num_inference_steps=2"]
    config = load_config(assignments=settings)
    frames = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), np.uint8)
    mask = np.zeros((4, 64, 64), bool)
    mask[:, 16:40, 20:50] = True

    def edits(editor):
        inversion = editor.invert(frames, "a red circle moving right")
        return [editor.edit(inversion, "a blue square moving right", m, 0) for m in (mask, None)]

    with serving(config, LIMITS) as (_, url):
        by_server = load_config(
            assignments=["editor=http", f"execution.edit_server.base_url={url}", *settings]
        )
        found = edits(build_editor(HttpEditor, by_server))
        revision = HttpEditor.revision(by_server, HttpEditor.Options())
    expected = edits(build_editor(plugins.find_editor(config), config))
    assert np.array_equal(found, expected)
    assert not np.array_equal(found[0], frames)
    assert revision == f"str_match {describe(config).revision}"


def test_the_revision_changes_with_the_settings_of_the_editor():
    first, same, other = (
        describe(load_config(assignments=[f"edit.lam={lam}"])).revision for lam in (1, 1, 2)
    )
    assert first == same != other


def test_an_answer_has_the_rate_of_the_clip_and_the_mask_is_obeyed(free):
    mask = np.random.default_rng(1).random(FRAMES.shape[:3]) < 0.5
    with serving(free, LIMITS) as (_, url):
        files = {"video": VIDEO, "mask": encode_mask(mask, 12)}
        status, _, body = request(url, "/edits", *form(files))
    assert status == 200 and frame_rate(body) == 12
    assert np.array_equal(decode_video(body), np.where(mask[..., None], 255 - FRAMES, FRAMES))


def test_one_edit_is_made_at_a_time_and_a_full_queue_asks_for_a_later_request(held):
    with serving(held, LIMITS) as (_, url), ThreadPoolExecutor() as clients:
        running = clients.submit(request, url, "/edits", *form())
        assert Held.begun.acquire(timeout=30)
        waiting = clients.submit(request, url, "/edits", *form())
        wait_for(lambda: accepted(url) == 2)
        status, headers, body = request(url, "/edits", *form())
        assert status == 429 and int(headers["Retry-After"]) >= 1
        assert json.loads(body)["type"] == "Busy"
        assert not Held.begun.acquire(blocking=False), "two edits at a time"
        Held.released.set()
        assert {running.result()[0], waiting.result()[0]} == {200}
        wait_for(lambda: accepted(url) == 0)
    assert len(Held.edited) == 2


def test_a_request_whose_client_has_left_is_not_edited(held):
    with serving(held, LIMITS) as (_, url), ThreadPoolExecutor() as clients:
        running = clients.submit(request, url, "/edits", *form())
        assert Held.begun.acquire(timeout=30)
        leaving = http.client.HTTPConnection(urlsplit(url).netloc)
        leaving.request("POST", "/v1/edits", *form(target_prompt="never seen"))
        wait_for(lambda: accepted(url) == 2)
        leaving.close()
        wait_for(lambda: accepted(url) == 1)
        Held.released.set()
        assert running.result()[0] == 200
    assert Held.edited == ["a dog"]


def accepted(url):
    return json.loads(request(url, "/health")[2])["accepted"]


def wait_for(condition):
    ends = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("sent", "status", "type", "message"),
    [
        (form({}), 400, "BadRequest", "no file `video`"),
        (form({"video": b"<html>"}), 400, "DecodeFailed", "cannot be decoded"),
        (form({"video": VIDEO[:600]}), 400, "DecodeFailed", "cannot be decoded"),
        (
            form({"video": VIDEO, "mask": encode_mask(np.zeros((3, 16, 24), bool), 12)}),
            *(400, "BadMask", "the mask is a video of 3 of 4 frames"),
        ),
        (form(seed="one"), 400, "BadRequest", "missing or wrong in the form: seed"),
        (form(seed=None, instruction=None), 400, "BadRequest", "instruction, seed"),
        ((b"{}", {"Content-Type": "application/json"}), 415, "BadRequest", "not multipart"),
        (form({"video": bytes(2_000_000)}), 413, "HttpError", "Too Large"),
        (form(target_prompt="refuse"), 422, "TooDark", "the clip is black"),
        (form(target_prompt="short"), 422, "BadFrames", "returned uint8 (3, 16, 24, 3)"),
        (form(target_prompt="fail"), 500, "ValueError", "no luck"),
    ],
)
def test_a_request_that_cannot_be_edited_has_a_problem(free, sent, status, type, message):
    with serving(free, LIMITS) as (_, url):
        found, _, body = request(url, "/edits", *sent)
        problem = json.loads(body)
        assert (found, problem["type"]) == (status, type) and message in problem["message"]
        assert request(url, "/edits", *form())[0] == 200, "the server goes on"


def test_only_clients_with_the_key_are_served(free):
    with serving(free, LIMITS, key="s3cret") as (_, url):
        assert request(url, "/info")[0] == request(url, "/edits", *form())[0] == 401
        assert request(url, "/info", headers={"Authorization": "Bearer s3"})[0] == 401
        assert request(url, "/info", headers={"Authorization": "Bearer s3cret"})[0] == 200
        assert request(url, "/health")[0] == 200
