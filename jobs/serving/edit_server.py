"""A server of edits by any editor of this package: see `infra/edit_server`."""

import asyncio
import hashlib
import hmac
import json
import logging
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pydantic
from aiohttp import web

from pipelines.causes import cause
from pipelines.config.config import Config
from pipelines.editors.base import build_editor, editor_revision, editor_settings
from pipelines.editors.http.protocol import (
    VIDEO_TYPE,
    Info,
    OtherShape,
    Problem,
    Texts,
    decode_mask,
)
from pipelines.editors.multi_target import check_frames
from pipelines.errors import RowError
from pipelines.media.encode import decode_video, encode_lossless, frame_rate
from pipelines.plugins import find_editor
from pipelines.versions import PACKAGE_VERSION

log = logging.getLogger(__name__)

UPLOAD_SECONDS = 60.0
"""Timeout of the upload of a request."""
LONGEST_WAIT = 60
"""Maximum delay before a retry that the server asks for, seconds."""


@dataclass(frozen=True)
class Limits:
    """Limits of a server."""

    queue: int
    """Requests that wait while one is edited. Further ones are answered with 429."""
    request_mb: float
    """Maximum size of a request, MB."""


class EditServer:
    """Edits the clips of requests one after the other, by one editor that stays loaded.

    Args:
        config: names the editor and its settings.
        limits: of queue and requests.
        key: API key that requests must have. None: no key.

    Raises:
        Exception: the editor cannot be built.
    """

    def __init__(self, config: Config, limits: Limits, key: str | None = None) -> None:
        self.limits = limits
        self.key = key
        self.info = describe(config)
        self.editor = build_editor(find_editor(config), config)
        self.executor = ThreadPoolExecutor(1, "edit")
        self.accepted = 0
        """Requests that wait or are edited."""
        self.seconds = 1.0
        """Duration of the latest edit."""

    def application(self) -> web.Application:
        """The server's routes."""
        application = web.Application(
            client_max_size=int(self.limits.request_mb * 1e6), middlewares=[self._answer_problems]
        )
        application.router.add_get("/v1/health", self._get_health)
        application.router.add_get("/v1/info", self._get_info)
        application.router.add_post("/v1/edits", self._post_edit)
        application.on_cleanup.append(self._close)
        return application

    @web.middleware
    async def _answer_problems(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Check the key, and answer every problem in the same form."""
        try:
            if request.path != "/v1/health":
                self._check_key(request)
            return await handler(request)
        except _Refused as error:
            return _problem(error.status, error.type, error.message, error.headers)
        except web.HTTPException as error:
            return _problem(error.status, "HttpError", error.reason, {})
        except Exception as error:
            log.exception("edit failed")
            return _problem(500, type(error).__name__, cause(error), {})

    def _check_key(self, request: web.Request) -> None:
        given = request.headers.get("Authorization", "")
        if self.key and not hmac.compare_digest(given.encode(), f"Bearer {self.key}".encode()):
            raise _Refused(401, "Unauthorized", "the request has not the API key of this server")

    async def _get_health(self, request: web.Request) -> web.Response:
        return web.json_response({"accepted": self.accepted, "queue": self.limits.queue})

    async def _get_info(self, request: web.Request) -> web.Response:
        return web.json_response(self.info.model_dump())

    async def _post_edit(self, request: web.Request) -> web.Response:
        if self.accepted > self.limits.queue:
            wait = min(LONGEST_WAIT, max(1, math.ceil(self.seconds)))
            message = f"{self.accepted} edits are waiting or being made"
            raise _Refused(429, "Busy", message, {"Retry-After": str(wait)})
        # Accepted before the upload, so that uploads cannot fill the memory.
        self.accepted += 1
        try:
            texts, files = await _upload(request)
            work = self.executor.submit(self._edit, texts, files)
        except BaseException:
            self.accepted -= 1
            raise
        loop = asyncio.get_running_loop()
        work.add_done_callback(lambda _: loop.call_soon_threadsafe(self._done))
        # A client that leaves cancels an edit that waits. One that runs, is finished.
        video = await asyncio.wrap_future(work)
        return web.Response(body=video, content_type=VIDEO_TYPE)

    def _done(self) -> None:
        self.accepted -= 1

    def _edit(self, texts: Texts, files: Mapping[str, bytes]) -> bytes:
        """Returns an edited video.

        Raises:
            _Refused: the request cannot be edited.
        """
        began = time.monotonic()
        try:
            frames, rate = decode_video(files["video"]), frame_rate(files["video"])
            mask = decode_mask(files["mask"], frames.shape) if "mask" in files else None
        except RowError as error:
            raise _Refused(400, error.type, error.message) from error
        except OtherShape as error:
            raise _Refused(400, "BadMask", f"the mask is {error}") from error
        try:
            inversion = self.editor.invert(frames, texts.source_prompt)
            edited = self.editor.edit(inversion, texts.target_prompt, mask, texts.seed)
            check_frames(edited, frames.shape)
        except RowError as error:
            raise _Refused(422, error.type, error.message) from error
        video = encode_lossless(edited, rate)
        self.seconds = time.monotonic() - began
        return video

    async def _close(self, application: web.Application) -> None:
        self.executor.shutdown(wait=False, cancel_futures=True)


class _Refused(Exception):
    """A request that is answered with a problem."""

    def __init__(
        self, status: int, type: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.type, self.message = status, type, message
        self.headers = headers or {}


def describe(config: Config) -> Info:
    """Return the name of the configured editor, and a hash of all that its edits depend on."""
    editor = find_editor(config)
    parts: list[Any] = [
        editor_revision(editor, config),
        editor_settings(editor, config),
        *(config.backbone.dtype, config.clip.num_frames, config.clip.fps, PACKAGE_VERSION),
    ]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    return Info(name=config.editor, revision=digest[:16])


async def _upload(request: web.Request) -> tuple[Texts, dict[str, bytes]]:
    """Returns the fields of a request for an edit."""
    if request.content_type != "multipart/form-data":
        raise _Refused(415, "BadRequest", "the request is not multipart/form-data")
    try:
        async with asyncio.timeout(UPLOAD_SECONDS):
            form = await request.post()
    except TimeoutError:
        raise _Refused(408, "BadRequest", f"no request within {UPLOAD_SECONDS:g} s") from None
    except ValueError as error:
        raise _Refused(400, "BadRequest", f"the form cannot be read: {error}") from None
    files = {
        name: field.file.read() for name, field in form.items() if isinstance(field, web.FileField)
    }
    if "video" not in files:
        raise _Refused(400, "BadRequest", "the form has no file `video`")
    texts = {name: field for name, field in form.items() if isinstance(field, str)}
    try:
        return Texts.model_validate(texts), files
    except pydantic.ValidationError as error:
        wrong = ", ".join(str(each["loc"][0]) for each in error.errors())
        raise _Refused(400, "BadRequest", f"missing or wrong in the form: {wrong}") from None


def _problem(status: int, type: str, message: str, headers: Mapping[str, str]) -> web.Response:
    body = Problem(type=type, message=" ".join(message.split())).model_dump()
    return web.json_response(body, status=status, headers=headers)
