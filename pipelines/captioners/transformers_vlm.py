"""The captioner `transformers_vlm`: a vision-language model in the process of the worker."""

from typing import ClassVar

import numpy as np

from pipelines.captioners.caption_check import ask_for_caption
from pipelines.config.config import Config
from pipelines.media.frames import sample
from pipelines.vision_language.local import LocalVLM


class TransformersVLM(LocalVLM):
    """Captions by the model of `annotate.vlm`, see `LocalVLM`."""

    on_gpu: ClassVar[bool] = True
    reads: ClassVar[tuple[str, ...]] = ("annotate.vlm", "annotate.captions")

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.captions = config.annotate.captions

    def __call__(self, frames: np.ndarray) -> str:
        """See `Captioner`.

        Raises:
            Rejected: `BadCaption`, the model gives no caption, see `caption_check.check`.
        """
        images, length = sample(frames, self.captions.frames), self.captions.max_new_tokens
        return ask_for_caption(lambda text: self.ask(images, text, length), self.captions)
