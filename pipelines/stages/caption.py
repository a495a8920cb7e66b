"""What a clip shows, in one sentence."""

from typing import Protocol

import numpy as np

from pipelines.stages.base import Row
from pipelines.video import decode_video


class Captioner(Protocol):
    def __call__(self, frames: np.ndarray) -> str:
        """Frames uint8 (f, H, W, 3) to a caption."""
        ...


class Caption:
    """Sets source_prompt and caption_source: the manifest's caption, else the captioner's.

    Reads caption and source_video.
    """

    def __init__(self, name: str, captioner: Captioner) -> None:
        self.name = name
        self.captioner = captioner

    def __call__(self, row: Row) -> Row:
        if row["caption"] is not None:
            return {"source_prompt": row["caption"].strip(), "caption_source": "manifest"}
        caption = self.captioner(decode_video(row["source_video"]))
        return {"source_prompt": caption, "caption_source": self.name}


class TemplateCaptioner:
    """Says the same of every clip. Name a better captioner, or give captions in a manifest."""

    def __init__(self, template: str) -> None:
        self.template = template

    def __call__(self, frames: np.ndarray) -> str:
        return self.template
