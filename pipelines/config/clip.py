"""The section `clip`: how clips are cut out of videos."""

from itertools import pairwise
from typing import Literal, get_args

import pydantic
from pydantic import Field

from pipelines.config.sections import Section, expert

Named = Literal["window", "shot"]
"""The spans that have a name."""


class Clip(Section):
    num_frames: int = Field(ge=2)
    """Number of frames that the backbone processes together, its window. With `span` window, the
    number of frames of a clip."""
    height: int = Field(ge=8, multiple_of=2)
    """Height of a clip, pixels. Must be even."""
    width: int = Field(ge=8, multiple_of=2)
    """Width of a clip, pixels. Must be even."""
    fps: float = Field(gt=0)
    """Frame rate at which videos are sampled, frames per second. A shot that is too short for a
    clip at this rate is sampled at a higher one. Applies to `span` window only."""
    stride: int | None = expert(None, ge=1)
    """Take every n-th frame of the video. Null: sample at `fps` instead. Applies to `span` window
    only."""
    span: str | float = "window"
    """What a clip covers. window: `num_frames` frames at `fps`. shot: a whole shot. A number: the
    length in seconds of consecutive clips of each shot. Clips of a shot or of seconds have every
    frame of the source, at its own rate and times."""
    min_seconds: float = expert(1.0, ge=0)
    """Minimum length of a clip of a shot or of seconds. A shorter shot, or rest of a shot, gives no
    clip."""
    max_seconds: float | None = Field(default=60.0, gt=0)
    """Maximum length of a clip of a shot. A longer shot is divided into clips of about equal
    length. Null: no maximum."""
    fit: Literal["crop", "pad"] = "crop"
    """How a video is brought to the aspect ratio of a clip. crop: cut its centre. pad: add black
    borders."""
    max_clips_per_video: int | None = Field(default=4, ge=1)
    """Maximum number of clips per video, from its beginning. Null: no maximum."""
    split_shots: bool = True
    """Detect cuts, and take no clip across a cut. False: treat a video as a single shot."""
    skip_black: int | None = expert(24, ge=0, le=255)
    """Reject clips in which most frames show nothing brighter than this, 0–255. Null disables."""
    skip_static: int | None = expert(None, ge=0, le=255)
    """Reject clips in which no region changes by more than this, 0–255. Noise in a still scene is
    at most 8. Null disables."""
    skip_duplicates: int | None = expert(12, ge=0, le=255)
    """Reject near-duplicates of an earlier clip of the same video: maximum difference of any
    region, 0–255. Null disables."""
    crf: int = expert(12, ge=0, le=51)
    """Constant rate factor (H.264) of stored clips and edits. Lower values give higher quality and
    larger files."""

    @property
    def seconds(self) -> float | None:
        """Length of clips of a fixed number of seconds; None for a named span."""
        return None if isinstance(self.span, str) else self.span

    @pydantic.field_validator("span")
    @classmethod
    def _is_a_span(cls, span: str | float) -> str | float:
        if span in get_args(Named) or (isinstance(span, float) and 0 < span < float("inf")):
            return span
        raise ValueError(f"want {', '.join(get_args(Named))} or a number of seconds, got {span!r}")

    @pydantic.model_validator(mode="after")
    def _in_order(self) -> "Clip":
        if self.span == "window":
            return self
        if self.stride is not None:
            raise ValueError(f"stride applies to span=window only, got span={self.span}")
        lengths = {"min_seconds": self.min_seconds, "span": self.seconds}
        lengths["max_seconds"] = self.max_seconds
        known = [(name, value) for name, value in lengths.items() if value is not None]
        for (lower, low), (upper, high) in pairwise(known):
            if low > high:
                raise ValueError(f"{lower} {low:g} is over {upper} {high:g}")
        return self
