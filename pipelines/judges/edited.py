"""The metric `edited`: whether an edit shows the target prompt, by CLIP."""

from pydantic import Field

import pipelines.config.options
from pipelines.config.config import Config
from pipelines.judges.contrasts import contrasts
from pipelines.metrics import ClipSimilarity, on_cpu
from strmatch.metrics.base import Sample


class Edited(ClipSimilarity):
    """`edited`, by the model of `measure.clip`."""

    place = "strmatch.metrics.edited:Edited"
    by_object = True

    class Options(pipelines.config.options.Options):
        contrasts: int = Field(default=0, ge=0)
        """Maximum number of further prompts with another noun, with another colour and with another
        place, each. 0: the target prompt is compared with the source prompt alone."""
        crops: bool = True
        """Compare crops around the mask, too. The CLIP of the embedded presets knows whole frames
        only."""
        averaged: bool = False
        """Average over mirrored and shifted copies of the frames, as the embedded presets do."""

    def __init__(self, config: Config, options: Options) -> None:
        self.most = options.contrasts
        self.metric = on_cpu(
            self.library_class(),
            self.weights(config),
            self._contrasts,
            options.crops,
            options.averaged,
        )

    def _contrasts(self, sample: Sample) -> list[str]:
        """Contrasts of the target prompt, other than the source prompt."""
        found = contrasts(sample.target_prompt, self.most) if self.most else []
        return [prompt for prompt in found if prompt != sample.source_prompt]
