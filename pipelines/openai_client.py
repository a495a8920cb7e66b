"""A client of OpenAI-compatible servers with timeouts, retries and exponential backoff."""

import asyncio
import json
import os
import threading
import weakref
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

import aiohttp

from pipelines.config.config import Config, served
from pipelines.errors import ConfigError, RowError, RunError

T = TypeVar("T")
CHECK_TOKENS = 400
LONGEST_ANSWER = 2**20
"""Maximum size of a response in bytes. A typical answer has a few hundred."""
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
"""Initial and maximum backoff in seconds. The backoff doubles with every retry."""


class NoAnswer(Exception):
    """A request without a usable answer.

    Args:
        reason: the error or the unusable response.
        again: whether a retry may succeed.
        wait: minimum delay before a retry in seconds, from the header `Retry-After`.
    """

    def __init__(self, reason: str, again: bool = True, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.again = again
        self.wait = wait


class Endpoint:
    """Chat completions of one model on one server, over persistent connections.

    Each call of `ask` blocks. Requests run concurrently when several workers send them.

    Raises:
        ConfigError: the server or model is not configured, or the API key variable is not set.
    """

    def __init__(self, config: Config) -> None:
        base_url, self.model = served(config)
        self.url = f"{base_url}/chat/completions"
        self.extra = config.annotate.endpoint.extra
        self.limits = config.execution.endpoint
        self.key = _key(self.limits.api_key_env)
        # The loop runs in a separate thread, because the calling thread may already run a loop.
        self.loop = asyncio.new_event_loop()
        thread = threading.Thread(target=_run, args=(self.loop,), daemon=True)
        thread.start()
        self.session = self._wait_for(self._open())
        weakref.finalize(self, _close, self.loop, self.session, thread)

    def ask(self, content: str | Sequence[dict[str, Any]], max_tokens: int, seed: int) -> str:
        """Return the text of the answer to one message, sampled at temperature 0.

        Args:
            content: a text, or the parts of a message (texts and images).
            max_tokens: maximum length of the answer in tokens.
            seed: seed of any remaining random sampling on the server.

        Raises:
            RowError: `EndpointFailed`, no answer within `total_timeout` seconds or `attempts`
                requests, or an HTTP error that a retry cannot resolve.
        """
        request = {
            "model": self.model,
            "messages": [{"role": "user", "content": content}],
            "temperature": 0.0,
            "max_tokens": max_tokens,
            "seed": seed % 2**31,
        } | self.extra
        given = {name: value for name, value in request.items() if value is not None}
        return self._wait_for(self._answer(json.dumps(given).encode()))

    def check(self) -> None:
        """Send a test request to check the server, the API key and the model.

        Raises:
            RunError: the request fails.
        """
        try:
            self.ask("Answer with one word: ready.", CHECK_TOKENS, seed=0)
        except RowError as error:
            raise RunError(error.message) from error

    def _wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    async def _open(self) -> aiohttp.ClientSession:
        headers = {"Content-Type": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        timeout = aiohttp.ClientTimeout(total=self.limits.timeout)
        return aiohttp.ClientSession(headers=headers, timeout=timeout)

    async def _answer(self, request: bytes) -> str:
        failure = NoAnswer("no answer in time")
        try:
            async with asyncio.timeout(self.limits.total_timeout):
                for attempt in range(self.limits.attempts):
                    try:
                        return await self._request(request)
                    except NoAnswer as error:
                        failure = error
                    if not failure.again:
                        break
                    if attempt + 1 < self.limits.attempts:
                        wait = min(FIRST_WAIT * 2**attempt, LONGEST_WAIT)
                        await asyncio.sleep(max(wait, failure.wait))
        except TimeoutError:
            pass
        reason = failure.reason.replace(self.key, "***") if self.key else failure.reason
        shown = "".join(letter if letter.isprintable() else " " for letter in reason)
        raise RowError("EndpointFailed", f"{self.url}: {' '.join(shown.split())[:200]}")

    async def _request(self, request: bytes) -> str:
        try:
            async with self.session.post(self.url, data=request, allow_redirects=False) as response:
                body = await _read(response)
        except TimeoutError:
            raise NoAnswer(f"no answer within {self.limits.timeout:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise NoAnswer(str(error) or type(error).__name__) from None
        if response.status != 200:
            again = response.status in (408, 425, 429) or response.status >= 500
            wait = response.headers.get("Retry-After", "")
            reason = f"HTTP {response.status}: {_start(body)}"
            raise NoAnswer(reason, again, float(wait) if wait.isdigit() else 0.0)
        return text_of(body)


class OnServer:
    """What plug-ins have in common that send requests to the model of `annotate.endpoint`.

    Raises:
        ConfigError: no server or model is named, or the variable of the key is not set.
    """

    def __init__(self, config: Config) -> None:
        self.endpoint = Endpoint(config)

    @classmethod
    def validate(cls, config: Config) -> None:
        """Raises ConfigError if no server or model is named."""
        served(config)

    @classmethod
    def check(cls, config: Config) -> None:
        """Send a test request, see `Endpoint.check`."""
        Endpoint(config).check()


def text_of(body: bytes) -> str:
    """Return the text in the body of a chat completion.

    Raises:
        NoAnswer: the body is not a chat completion, or has no text.
    """
    try:
        text = json.loads(body)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise NoAnswer(f"answered no chat completion but {_start(body)}") from None
    if not isinstance(text, str) or not text.strip():
        raise NoAnswer("answered without a text (reasoning that used up max_tokens?)")
    return text


def _start(body: bytes) -> str:
    # Longer than the shown part, so that an API key is not truncated before redaction.
    return body[:4000].decode(errors="replace") or "nothing"


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > LONGEST_ANSWER:
            raise NoAnswer(f"answered more than {LONGEST_ANSWER} bytes")
    return bytes(body)


def _key(variable: str | None) -> str | None:
    if variable is None:
        return None
    key = os.environ.get(variable, "").strip()
    if not key:
        raise ConfigError(
            f"execution.endpoint.api_key_env: {variable} is not set here; on a cluster, set it "
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
