"""Requests to servers with timeouts, retries and exponential backoff, from code that blocks."""

import asyncio
import os
import threading
import weakref
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple, TypeVar

import aiohttp

from pipelines.config.sections import Server
from pipelines.errors import ConfigError, RowError

T = TypeVar("T")
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
"""Initial and maximum backoff in seconds. The backoff doubles with every retry."""
TOO_MANY = 429


class NoAnswer(Exception):
    """A request without a usable answer.

    Args:
        reason: the error or the unusable response.
        again: whether a retry may succeed.
        wait: minimum delay before a retry in seconds, from the header `Retry-After`.
        busy: whether the server asked for a later request, which does not count as an attempt.
    """

    def __init__(
        self, reason: str, again: bool = True, wait: float = 0.0, busy: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.again = again
        self.wait = wait
        self.busy = busy


class Request(NamedTuple):
    """A request, which may be sent several times."""

    url: str
    max_answer: int
    """Maximum size of the response in bytes."""
    body: Callable[[], Any] | None = None
    """Makes the body of a POST, as aiohttp takes it. None: the request is a GET."""
    content_type: str | None = None
    """Media type of the body. None: the one that the body names itself."""


class HttpClient:
    """Requests over persistent connections. Calls of `send` block, and may run concurrently.

    Args:
        server: timeouts and attempts, and the variable of the API key.
        field: where the configuration has `server`, for messages.

    Raises:
        ConfigError: the API key variable is not set.
    """

    def __init__(self, server: Server, field: str) -> None:
        self.server = server
        self.key = _key(server.api_key_env, field)
        # The loop runs in a separate thread, because the calling thread may already run a loop.
        self.loop = asyncio.new_event_loop()
        thread = threading.Thread(target=_run, args=(self.loop,), daemon=True)
        thread.start()
        self.session = self._wait_for(self._open())
        weakref.finalize(self, _close, self.loop, self.session, thread)

    def send(self, request: Request, read: Callable[[bytes], T]) -> T:
        """Return what `read` makes of the body of the answer.

        Args:
            request: is repeated until an answer is usable.
            read: raises NoAnswer if the body is not usable.

        Raises:
            RowError: `EndpointFailed`, no answer within `total_timeout` seconds or `attempts`
                requests, or an HTTP error that a retry cannot resolve.
        """
        return self._wait_for(self._answer(request, read))

    def _wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    async def _open(self) -> aiohttp.ClientSession:
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        timeout = aiohttp.ClientTimeout(total=self.server.timeout)
        return aiohttp.ClientSession(headers=headers, timeout=timeout)

    async def _answer(self, request: Request, read: Callable[[bytes], T]) -> T:
        failure, attempts = NoAnswer("no answer in time"), 0
        try:
            async with asyncio.timeout(self.server.total_timeout):
                while True:
                    try:
                        return await asyncio.to_thread(read, await self._request(request))
                    except NoAnswer as error:
                        failure = error
                    attempts += not failure.busy
                    if not failure.again or attempts >= self.server.attempts:
                        break
                    wait = min(FIRST_WAIT * 2 ** max(attempts - 1, 0), LONGEST_WAIT)
                    await asyncio.sleep(max(wait, failure.wait))
        except TimeoutError:
            pass
        reason = failure.reason.replace(self.key, "***") if self.key else failure.reason
        shown = "".join(letter if letter.isprintable() else " " for letter in reason)
        raise RowError("EndpointFailed", f"{request.url}: {' '.join(shown.split())[:200]}")

    async def _request(self, request: Request) -> bytes:
        method = "POST" if request.body else "GET"
        data = request.body() if request.body else None
        headers = {"Content-Type": request.content_type} if request.content_type else {}
        try:
            async with self.session.request(
                method, request.url, data=data, headers=headers, allow_redirects=False
            ) as response:
                body = await _read(response, request.max_answer)
        except TimeoutError:
            raise NoAnswer(f"no answer within {self.server.timeout:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise NoAnswer(str(error) or type(error).__name__) from None
        if response.status != 200:
            again = response.status in (408, 425, TOO_MANY) or response.status >= 500
            told = response.headers.get("Retry-After", "")
            wait = float(told) if told.isdigit() else 0.0
            busy = response.status == TOO_MANY and wait > 0
            raise NoAnswer(f"HTTP {response.status}: {start(body)}", again, wait, busy)
        return body


def start(body: bytes) -> str:
    """Return the start of a body as text, for messages."""
    # Longer than the shown part, so that an API key is not truncated before redaction.
    return body[:4000].decode(errors="replace") or "nothing"


async def _read(response: aiohttp.ClientResponse, most: int) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > most:
            raise NoAnswer(f"answered more than {most} bytes")
    return bytes(body)


def _key(variable: str | None, field: str) -> str | None:
    if variable is None:
        return None
    key = os.environ.get(variable, "").strip()
    if not key:
        raise ConfigError(
            f"{field}.api_key_env: {variable} is not set here; on a cluster, set it "
            "where the workers run"
        )
    return key


def _run(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_forever()
    loop.close()


def _close(
    loop: asyncio.AbstractEventLoop, session: aiohttp.ClientSession, thread: threading.Thread
) -> None:
    async def end() -> None:
        await session.close()
        loop.stop()

    asyncio.run_coroutine_threadsafe(end(), loop)
    if thread is not threading.current_thread():
        thread.join(1.0)
