import asyncio
import gc
import json
import socket
import time

import pytest

from pipelines.config.loading import resolve
from pipelines.errors import ConfigError, RowError
from pipelines.openai_client import LONGEST_ANSWER, Endpoint
from tests.pipelines.support.servers import (
    Served,
    completion,
    drip_body,
    drip_head,
    endless,
    hang,
    hang_up,
    late,
)

SOON = 30.0
"""Seconds. Servers that hang or drip do it for a minute."""


def config(url, extra=None, **limits):
    return resolve(
        {
            "annotate": {"endpoint": {"model": "tiny", "extra": extra or {}}},
            "execution": {"endpoint": {"base_url": url, "timeout": 1.5} | limits},
        }
    )


def ask(endpoint):
    """The answer to the request "Say."."""
    begun = time.monotonic()
    try:
        return endpoint.ask("Say.", 7, 2**40 + 3)
    finally:
        assert time.monotonic() - begun < SOON


def test_a_question_is_sent_as_one_greedy_completion():
    with Served(completion("Yes.")) as server:
        assert ask(Endpoint(config(server.url))) == "Yes."
        (path, headers, request), *others = server.requests
    assert path == "/v1/chat/completions" and not others
    assert request == {
        "model": "tiny",
        "messages": [{"role": "user", "content": "Say."}],
        "temperature": 0.0,
        "max_tokens": 7,
        "seed": 3,
    }
    assert headers["Content-Type"] == "application/json" and "Authorization" not in headers


def test_extra_fields_are_added_and_null_ones_omitted():
    extra = {"max_tokens": None, "temperature": 0.1, "top_k": 1}
    with Served(completion("Yes.")) as server:
        ask(Endpoint(config(server.url, extra)))
        request = server.requests[0][2]
    assert (request["temperature"], request["top_k"]) == (0.1, 1)
    assert "max_tokens" not in request


def test_all_questions_share_one_connection():
    with Served(completion("Yes.")) as server:
        endpoint = Endpoint(config(server.url))
        for _ in range(3):
            ask(endpoint)
        assert len(server.requests) == 3 and len(server.connections) == 1


def test_the_client_works_inside_a_running_event_loop():
    async def on_a_loop(endpoint):
        return ask(endpoint)

    with Served(completion("Yes.")) as server:
        assert asyncio.run(on_a_loop(Endpoint(config(server.url)))) == "Yes."


def test_the_client_closes_its_loop_and_connections(recwarn, caplog):
    with Served(completion("Yes.")) as server:
        endpoint = Endpoint(config(server.url))
        ask(endpoint)
        loop = endpoint.client.loop
        del endpoint
        gc.collect()
        assert loop.is_closed()
    assert "Unclosed" not in caplog.text
    assert not [w for w in recwarn if issubclass(w.category, ResourceWarning)]


@pytest.mark.parametrize(
    "bad",
    [
        (500, b"overloaded", {}),
        (429, b"slow down", {"Retry-After": "1"}),
        (200, b"<html>Bad gateway</html>", {}),
        (200, completion(None), {}),
        hang,
        hang_up,
    ],
)
def test_transient_errors_are_retried(bad):
    with Served(bad, completion("Yes.")) as server:
        assert ask(Endpoint(config(server.url))) == "Yes."
        assert len(server.requests) == 2


def test_a_busy_server_is_asked_later_without_an_attempt():
    busy = (429, b"slow down", {"Retry-After": "1"})
    with Served(busy, busy, completion("Yes.")) as server:
        assert ask(Endpoint(config(server.url, attempts=1))) == "Yes."
        assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ((500, b"out of\n memory", {}), "HTTP 500: out of memory"),
        ((200, b"<html>Hello</html>", {}), "answered no chat completion but <html>Hello</html>"),
        ((200, b"\xff\xfe\x00", {}), "answered no chat completion but \ufffd\ufffd"),
        ((200, b"[" * 100_000, {}), "answered no chat completion but [[[["),
        ((200, b"", {}), "answered no chat completion but nothing"),
        ((200, b"[]", {}), "answered no chat completion but []"),
        ((200, b"null", {}), "answered no chat completion but null"),
        ((200, b'{"error": "no"}', {}), 'answered no chat completion but {"error": "no"}'),
        ((200, b'{"choices": []}', {}), "answered no chat completion"),
        ((200, b'{"choices": [{"message": "Yes."}]}', {}), "answered no chat completion"),
        ((200, completion(None), {}), "answered without a text"),
        ((200, completion(" \n"), {}), "answered without a text"),
        ((200, completion([{"type": "image"}]), {}), "answered without a text"),
        ((200, completion("x" * LONGEST_ANSWER), {}), f"answered more than {LONGEST_ANSWER} bytes"),
        (endless, f"answered more than {LONGEST_ANSWER} bytes"),
        (hang, "no answer within 1.5 s"),
        (drip_body, "no answer within 1.5 s"),
        (drip_head, "no answer within 1.5 s"),
        (hang_up, "disconnected"),
    ],
)
def test_persistent_errors_fail_the_row_with_the_reason(bad, reason):
    with Served(bad) as server:
        endpoint = Endpoint(config(server.url, attempts=2))
        with pytest.raises(RowError) as raised:
            ask(endpoint)
        assert len(server.requests) == 2
    assert raised.value.type == "EndpointFailed"
    assert reason in raised.value.message and server.url in raised.value.message
    assert "\n" not in raised.value.message and len(raised.value.message) < 300


@pytest.mark.parametrize("status", [301, 400, 401, 404])
def test_an_invalid_request_is_not_retried(status):
    with Served((status, b"no such model", {"Location": "/v2"})) as server:
        endpoint = Endpoint(config(server.url))
        with pytest.raises(RowError, match=f"HTTP {status}: no such model"):
            ask(endpoint)
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (hang, "no answer in time"),
        (drip_body, "no answer in time"),
        ((503, b"starting", {"Retry-After": "600"}), "HTTP 503: starting"),
        (late(5, completion("Yes.")), "no answer in time"),
    ],
)
def test_the_total_timeout_holds_for_any_behaviour_of_the_server(bad, reason):
    with Served(bad) as server:
        endpoint = Endpoint(config(server.url, timeout=60, attempts=100, total_timeout=0.7))
        with pytest.raises(RowError, match=reason):
            ask(endpoint)


def test_a_slow_server_within_the_timeout_succeeds():
    with Served(late(0.3, completion("Yes."))) as server:
        assert ask(Endpoint(config(server.url))) == "Yes."
        assert len(server.requests) == 1


def test_an_unreachable_server_fails_the_row():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
        with pytest.raises(RowError, match="EndpointFailed.*Cannot connect"):
            ask(Endpoint(config(url, attempts=2)))


def test_the_key_is_sent_only_to_the_server(monkeypatch):
    monkeypatch.setenv("SOME_KEY", " s3cret\n")
    echo = json.dumps({"error": "wrong key s3cret", "more": "x" * 100 + "s3cret" * 20}).encode()
    with Served(completion("Yes."), (401, echo, {})) as server:
        endpoint = Endpoint(config(server.url, api_key_env="SOME_KEY"))
        assert ask(endpoint) == "Yes."
        assert server.requests[0][1]["Authorization"] == "Bearer s3cret"
        with pytest.raises(RowError, match=r"HTTP 401: .*wrong key \*\*\*") as raised:
            ask(endpoint)
    assert "s3" not in str(raised.value)
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


@pytest.mark.parametrize("value", [None, "", " "])
def test_an_unset_key_variable_is_refused(monkeypatch, value):
    monkeypatch.delenv("SOME_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("SOME_KEY", value)
    with pytest.raises(ConfigError, match="execution.endpoint.api_key_env: SOME_KEY is not set"):
        Endpoint(config("http://localhost:1/v1", api_key_env="SOME_KEY"))


def test_a_missing_server_address_is_refused():
    with pytest.raises(ConfigError, match="set execution.endpoint.base_url"):
        Endpoint(resolve({}))
