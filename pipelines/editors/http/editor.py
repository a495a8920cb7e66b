"""The editor `http`: edits by a server."""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import aiohttp
import numpy as np
import pydantic

from pipelines.config import options
from pipelines.config.config import Config
from pipelines.editors.http.protocol import (
    VIDEO_TYPE,
    Info,
    OtherShape,
    Texts,
    decode_like,
    encode_mask,
)
from pipelines.english.instructions import instruction_between
from pipelines.errors import ConfigError, RowError, RunError
from pipelines.media.encode import encode_lossless
from pipelines.reliability.http_client import HttpClient, NoAnswer, Request, start

LONGEST_INFO = 2**16
"""Maximum size of a server's description in bytes."""


class Clip(NamedTuple):
    """A clip, encoded once for all its targets."""

    shape: tuple[int, ...]
    """(f, H, W, 3)."""
    video: bytes
    source_prompt: str


class HttpEditor:
    """Edits clips by the server of `execution.edit_server`, with one request an edit."""

    # A server may ignore the seed.
    stochastic: ClassVar[bool] = True
    reads: ClassVar[tuple[str, ...]] = ("execution.edit_server",)

    class Options(options.Options):
        """None: the server has the settings of its edits."""

    def __init__(self, config: Config, options: Options) -> None:
        self.url = _url(config)
        self.fps = config.clip.fps
        self.longest = int(config.execution.edit_server.max_answer_mb * 1e6)
        self.client = _client(config)

    @classmethod
    def validate(cls, config: Config, options: Options) -> None:
        """Raises ConfigError if no server is named, or the deadline would end an edit first."""
        _url(config)
        total = config.execution.edit_server.total_timeout
        if total >= config.execution.deadline:
            raise ConfigError(
                f"execution.edit_server.total_timeout {total:g} must be less than "
                f"execution.deadline {config.execution.deadline:g}"
            )

    @classmethod
    def revision(cls, config: Config, options: Options) -> str:
        """Name and revision of what the server edits by.

        Raises:
            RunError: the server does not answer.
        """
        request = Request(f"{_url(config)}/info", LONGEST_INFO)
        try:
            info = _client(config).send(request, _info)
        except RowError as error:
            raise RunError(error.message) from error
        return f"{info.name} {info.revision}"

    @classmethod
    def check(cls, config: Config, options: Options) -> None:
        """Ask the server for its revision, see `revision`."""
        cls.revision(config, options)

    @classmethod
    def settings(cls, config: Config, options: Options) -> dict[str, Any]:
        """What an edit depends on besides the revision of the server."""
        return {"fps": config.clip.fps}

    def invert(self, frames: np.ndarray, source_prompt: str) -> Clip:
        """Encode a clip once for all its targets."""
        return Clip(frames.shape, encode_lossless(frames, self.fps), source_prompt)

    def edit(
        self, inversion: Clip, target_prompt: str, mask: np.ndarray | None, seed: int
    ) -> np.ndarray:
        """See `Editor.edit`.

        Raises:
            RowError: `EndpointFailed`, the server did not answer with a video of the clip's length
                and size in time. The message has the reason.
        """
        clip = inversion
        texts = Texts(
            source_prompt=clip.source_prompt,
            target_prompt=target_prompt,
            instruction=instruction_between(clip.source_prompt, target_prompt),
            seed=seed,
        )
        files = {"video": clip.video}
        if mask is not None:
            files["mask"] = encode_mask(mask, self.fps)
        request = Request(f"{self.url}/edits", self.longest, lambda: _form(texts, files))
        return self.client.send(request, lambda body: _frames(body, clip.shape))


def _url(config: Config) -> str:
    base_url = config.execution.edit_server.base_url
    if base_url is None:
        raise ConfigError(
            "editor http needs a server: set execution.edit_server.base_url (http://host:8080/v1)"
        )
    return base_url


def _client(config: Config) -> HttpClient:
    return HttpClient(config.execution.edit_server, "execution.edit_server")


def _form(texts: Texts, files: Mapping[str, bytes]) -> aiohttp.FormData:
    form = aiohttp.FormData()
    for name, value in texts.model_dump().items():
        form.add_field(name, str(value))
    for name, data in files.items():
        form.add_field(name, data, filename=f"{name}.mp4", content_type=VIDEO_TYPE)
    return form


def _info(body: bytes) -> Info:
    try:
        return Info.model_validate_json(body)
    except pydantic.ValidationError:
        raise NoAnswer(f"answered no name and revision but {start(body)}") from None


def _frames(body: bytes, shape: tuple[int, ...]) -> np.ndarray:
    """Returns the edited frames in an answer, uint8 (f, H, W, 3).

    Raises:
        NoAnswer: the body is not a video of this shape.
    """
    try:
        return decode_like(body, shape)
    except OtherShape as error:
        raise NoAnswer(f"answered {error}", again=False) from None
    except RowError:
        shown = "a broken MP4" if body[4:8] == b"ftyp" else start(body)
        raise NoAnswer(f"answered no video but {shown}") from None
