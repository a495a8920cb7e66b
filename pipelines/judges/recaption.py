"""The metric `recaption`: whether the run's captioner finds the swapped words in the edit."""

from collections import Counter
from typing import ClassVar, Literal

import numpy as np

import pipelines.config.options
from pipelines.config.config import Config
from pipelines.config.options import Choice, choose
from pipelines.english.swaps import content_words, swaps
from pipelines.errors import Rejected, RowError
from strmatch.metrics.base import NotMeasured, Sample
from strmatch.weights.source import Source


class Recaption:
    """Share of the expected words in a caption of the edited clip, by `annotate.captioner`.

    The expected words are those that the target prompt has in the place of others. A replaced word
    is an error if the caption names the word more often than the target prompt. With the option
    `words=all`, also the other words of the captioner's caption of the source are expected, and
    further words are errors: the value is the number of common words by that of the longer caption.
    A clip that the captioner rejects has the value 0.

    Unit: share. Range: 0 to 1, higher is better. Null: the captioner has no answer, or the prompts
    have the same words.
    """

    worst: ClassVar[Literal["lowest", "highest"]] = "lowest"

    class Options(pipelines.config.options.Options):
        words: Literal["swapped", "all"] = "swapped"
        """swapped: words in which the prompts differ. all: every word of the caption, for
        captioners that describe equal things in equal words."""

    def __init__(self, config: Config, options: Options) -> None:
        self.captioner = _captioner(config).build()
        self.all = options.words == "all"
        self.source: tuple[np.ndarray, str | None] | None = None

    @classmethod
    def on_gpu(cls, config: Config, options: Options) -> bool:
        """Whether the captioner runs on a GPU where there is one."""
        return _captioner(config).on_gpu

    @classmethod
    def models(cls, config: Config, options: Options) -> list[Source]:
        """The weights of the captioner."""
        return _captioner(config).call("models") or []

    @classmethod
    def check(cls, config: Config, options: Options) -> None:
        """Check the captioner."""
        _captioner(config).call("check")

    def __call__(self, sample: Sample) -> float:
        """See `strmatch.metrics.base.Metric`."""
        swapped = swaps(sample.source_prompt, sample.target_prompt)
        new = Counter(word for swap in swapped for word in swap.target.split())
        gone = Counter(word for swap in swapped for word in swap.source.split())
        if not swapped:
            raise NotMeasured("source prompt and target prompt have the same words")
        caption = self._caption(sample.edited)
        if caption is None:
            return 0.0
        seen, wanted = Counter(content_words(caption)), Counter(content_words(sample.target_prompt))
        right = [seen[word] >= wanted[word] for word in new.elements()]
        right += [seen[word] <= wanted[word] for word in gone.elements()]
        share = sum(right) / len(right)
        before = self._caption_of_source(sample.source) if self.all else None
        if before is None:
            return share
        expected = Counter(content_words(before))
        expected.subtract(gone)
        expected = +(expected + new)
        return min(share, (expected & seen).total() / max(expected.total(), seen.total()))

    def _caption_of_source(self, frames: np.ndarray) -> str | None:
        # The edits of a clip are measured one after the other.
        if self.source is None or self.source[0] is not frames:
            self.source = frames, self._caption(frames)
        return self.source[1]

    def _caption(self, frames: np.ndarray) -> str | None:
        """The caption of a clip; None if the captioner rejects the clip."""
        try:
            return self.captioner(frames)
        except Rejected:
            return None
        except RowError as error:
            raise NotMeasured(str(error)) from None


def _captioner(config: Config) -> Choice:
    return choose("captioner", config)
