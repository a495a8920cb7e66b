"""The job of `strmatch serve-editor`."""

import asyncio
import logging
import os
import signal
from typing import NamedTuple

from aiohttp import web

from jobs.serving.edit_server import EditServer, Limits
from pipelines import plugins
from pipelines.config.config import Config
from pipelines.errors import ConfigError, RunError
from pipelines.runs.preflight import fetch_models

log = logging.getLogger(__name__)


class Address(NamedTuple):
    """Where a server listens."""

    host: str
    port: int


def serve(
    config: Config, address: Address, limits: Limits, key_env: str | None, shutdown_timeout: float
) -> None:
    """Serve the configured editor until SIGTERM or SIGINT.

    Models that this machine lacks are fetched first.

    Args:
        key_env: environment variable of the API key. None: no key.
        shutdown_timeout: seconds in which accepted edits are finished at the end.

    Raises:
        RunError: the editor cannot be built, the key is not set, or the address is not free.
    """
    key = None if key_env is None else os.environ.get(key_env, "").strip()
    if key == "":
        raise ConfigError(f"--api-key-env: {key_env} is not set here")
    fetch_models(config)
    plugins.check_editor(config)
    server = EditServer(config, limits, key)
    asyncio.run(_serve(server, address, shutdown_timeout))


async def _serve(server: EditServer, address: Address, shutdown_timeout: float) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    runner = web.AppRunner(
        server.application(),
        access_log=None,
        handler_cancellation=True,
        shutdown_timeout=shutdown_timeout,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, address.host, address.port).start()
    except OSError as error:
        await runner.cleanup()
        raise RunError(f"cannot listen at {address.host}:{address.port}: {error}") from error
    port = runner.addresses[0][1]
    info = server.info
    log.info("serving %s %s at http://%s:%d/v1", info.name, info.revision, address.host, port)
    await ended.wait()
    log.info("finishing %d edits", server.accepted)
    await runner.cleanup()
