"""The captioner `openai`: a vision-language model behind an OpenAI-compatible server."""

import base64
import io
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from pipelines.captioners.caption_check import ask_for_caption
from pipelines.config.config import Config, served
from pipelines.media.frames import sample
from pipelines.openai_client import Endpoint

if TYPE_CHECKING:
    from PIL.Image import Image

JPEG_QUALITY = 90


class OpenAI:
    """Captions by any model that accepts images in chat completions, on vLLM or another server.

    A call sends one request at a time. Clips are captioned in parallel by several Ray tasks, each
    with a captioner and a connection of its own. The server batches their requests.

    Raises:
        ConfigError: no server or model is named, or the variable of the key is not set.
    """

    reads: ClassVar[tuple[str, ...]] = (
        *("annotate.endpoint", "annotate.captions", "execution.endpoint"),
    )

    def __init__(self, config: Config) -> None:
        self.endpoint = Endpoint(config)
        self.captions = config.annotate.captions
        self.seed = config.seed

    @classmethod
    def validate(cls, config: Config) -> None:
        """Raises ConfigError if no server or model is named."""
        served(config)

    @classmethod
    def check(cls, config: Config) -> None:
        """Send a test request, see `Endpoint.check`."""
        Endpoint(config).check()

    def __call__(self, frames: np.ndarray) -> str:
        """See `Captioner`.

        Raises:
            RowError: `EndpointFailed`, the server gives no answer.
            Rejected: `BadCaption`, the model gives no caption, see `caption_check.check`.
        """
        images = [image_part(image) for image in sample(frames, self.captions.frames)]

        def ask(instruction: str) -> str:
            content = [*images, {"type": "text", "text": instruction}]
            return self.endpoint.ask(content, self.captions.max_new_tokens, self.seed)

        return ask_for_caption(ask, self.captions)


def image_part(image: "Image") -> dict[str, Any]:
    """Convert an image to a part of a message: a JPEG in a data URL."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=JPEG_QUALITY)
    data = base64.b64encode(file.getvalue()).decode()
    return {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{data}"}}
