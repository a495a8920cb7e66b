"""The captioner `openai`: a vision-language model behind an OpenAI-compatible server."""

from typing import ClassVar

import numpy as np

from pipelines.captioners.caption_check import ask_for_caption
from pipelines.config.config import Config
from pipelines.media.frames import sample
from pipelines.vision_language.served import ServedVLM


class OpenAI(ServedVLM):
    """Captions by the model of `annotate.endpoint`, on vLLM or another server, see `ServedVLM`."""

    reads: ClassVar[tuple[str, ...]] = (
        *("annotate.endpoint", "annotate.captions", "execution.endpoint"),
    )

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.captions = config.annotate.captions

    def __call__(self, frames: np.ndarray) -> str:
        """See `Captioner`.

        Raises:
            RowError: `EndpointFailed`, the server gives no answer.
            Rejected: `BadCaption`, the model gives no caption, see `caption_check.check`.
        """
        images, length = sample(frames, self.captions.frames), self.captions.max_new_tokens
        return ask_for_caption(lambda text: self.ask(images, text, length), self.captions)
