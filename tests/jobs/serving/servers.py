"""Servers of edits in this process, and their OpenAPI file."""

import asyncio
import threading
from contextlib import contextmanager
from pathlib import Path

import jsonschema
import yaml
from aiohttp import web

from jobs.serving.edit_server import EditServer

FILE = Path(__file__).parents[3] / "infra" / "edit_server" / "openapi.yaml"
SPEC = yaml.safe_load(FILE.read_text(encoding="utf-8"))


@contextmanager
def serving(config, limits, key=None):
    """Yields a server and its URL."""
    server, loop = EditServer(config, limits, key), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def begin():
        runner = web.AppRunner(server.application(), handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner

    def wait_for(work):
        return asyncio.run_coroutine_threadsafe(work, loop).result(60)

    runner = wait_for(begin())
    try:
        yield server, f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        wait_for(runner.cleanup())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def check_response(method, path, status, headers, body):
    """Raise if the OpenAPI file does not describe a response."""
    described = resolved(SPEC["paths"][path][method.lower()]["responses"][str(status)])
    (kind, content), *_ = described["content"].items()
    assert headers["Content-Type"].split(";")[0] == kind
    for name, header in described.get("headers", {}).items():
        jsonschema.validate(int(headers[name]), header["schema"])
    if "schema" in content:
        jsonschema.validate(yaml.safe_load(body), resolved(content["schema"]))


def resolved(node):
    """A node of the OpenAPI file, or the one to which it refers."""
    if "$ref" not in node:
        return node
    found = SPEC
    for name in node["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return found
