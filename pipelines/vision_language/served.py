"""A vision-language model behind an OpenAI-compatible server."""

import base64
import io
from typing import TYPE_CHECKING, Any

from pipelines.config.config import Config
from pipelines.openai_client import OnServer

if TYPE_CHECKING:
    from PIL.Image import Image

JPEG_QUALITY = 90


class ServedVLM(OnServer):
    """The model of `annotate.endpoint`: any that accepts images in chat completions.

    A call sends one request at a time. Several Ray tasks work in parallel, each with a connection
    of its own. The server batches their requests.

    Raises:
        ConfigError: no server or model is named, or the variable of the key is not set.
    """

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.seed = config.seed

    def ask(self, images: "list[Image]", instruction: str, max_tokens: int) -> str:
        """Return the answer to an instruction about images, sampled at temperature 0.

        Args:
            max_tokens: maximum length of the answer in tokens.

        Raises:
            RowError: `EndpointFailed`, the server gives no answer.
        """
        parts = [image_part(image) for image in images]
        content = [*parts, {"type": "text", "text": instruction}]
        return self.endpoint.ask(content, max_tokens, self.seed)


def image_part(image: "Image") -> dict[str, Any]:
    """Convert an image to a part of a message: a JPEG in a data URL."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=JPEG_QUALITY)
    data = base64.b64encode(file.getvalue()).decode()
    return {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{data}"}}
