"""A client of OpenAI-compatible servers."""

import json
from collections.abc import Sequence
from typing import Any

from pipelines.config.config import Config, served
from pipelines.errors import RowError, RunError
from pipelines.reliability.http_client import HttpClient, NoAnswer, Request, start

CHECK_TOKENS = 400
LONGEST_ANSWER = 2**20
"""Maximum size of a response in bytes. A typical answer has a few hundred."""


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
        self.client = HttpClient(config.execution.endpoint, "execution.endpoint")

    def ask(self, content: str | Sequence[dict[str, Any]], max_tokens: int, seed: int) -> str:
        """Return the text of the answer to one message, sampled at temperature 0.

        Args:
            content: a text, or the parts of a message (texts and images).
            max_tokens: maximum length of the answer in tokens.
            seed: seed of any remaining random sampling on the server.

        Raises:
            RowError: `EndpointFailed`, see `HttpClient.send`.
        """
        values = {
            "model": self.model,
            "messages": [{"role": "user", "content": content}],
            "temperature": 0.0,
            "max_tokens": max_tokens,
            "seed": seed % 2**31,
        } | self.extra
        given = {name: value for name, value in values.items() if value is not None}
        body = json.dumps(given).encode()
        request = Request(self.url, LONGEST_ANSWER, lambda: body, "application/json")
        return self.client.send(request, text_of)

    def check(self) -> None:
        """Send a test request to check the server, the API key and the model.

        Raises:
            RunError: the request fails.
        """
        try:
            self.ask("Answer with one word: ready.", CHECK_TOKENS, seed=0)
        except RowError as error:
            raise RunError(error.message) from error


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
        raise NoAnswer(f"answered no chat completion but {start(body)}") from None
    if not isinstance(text, str) or not text.strip():
        raise NoAnswer("answered without a text (reasoning that used up max_tokens?)")
    return text
