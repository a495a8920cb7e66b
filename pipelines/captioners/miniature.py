"""The captioner `miniature`, for clips of the small world."""

import numpy as np

from pipelines.config.config import Config


class MiniatureCaptioner:
    """Captions clips of the small world by the embedded models, without a download.

    The models are imported when the captioner is built.
    """

    def __init__(self, config: Config) -> None:
        from pipelines.captioners.small_world import SmallWorldCaptioner

        self.captioner = SmallWorldCaptioner()

    def __call__(self, frames: np.ndarray) -> str:
        """See `Captioner`.

        Raises:
            Rejected: `NotOfTheWorld`, the clip is not one of the small world.
        """
        return self.captioner(frames)
