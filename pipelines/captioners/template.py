"""The captioner `template`."""

from typing import ClassVar

import numpy as np

from pipelines.config.config import Config


class TemplateCaptioner:
    """Gives every clip the caption `annotate.caption_template`."""

    reads: ClassVar[tuple[str, ...]] = ("annotate.caption_template",)

    def __init__(self, config: Config) -> None:
        self.template = config.annotate.caption_template

    def __call__(self, frames: np.ndarray) -> str:
        return self.template
