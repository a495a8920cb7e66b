"""The metric `vlm_judge`: the grade of an edit by a vision-language model."""

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

import pipelines.config.options
from pipelines.config.config import Config
from pipelines.english.swaps import swaps
from pipelines.errors import RowError
from pipelines.judges.rubric import check, question
from pipelines.media.frames import sample as images_of
from pipelines.vision_language.checked_answer import WrongAnswer, checked_answer
from pipelines.vision_language.local import LocalVLM
from pipelines.vision_language.served import ServedVLM
from strmatch.metrics.base import NotMeasured, Sample

if TYPE_CHECKING:
    from strmatch.weights.source import Source


class VLMJudge:
    """Mean grade of the edit by a vision-language model, after the rubric of OpenVE-Bench.

    The model sees evenly spaced frames, the source on the left and the edit on the right, and both
    prompts. The model grades whether the edit shows the target prompt, whether everything else is
    kept, and whether the frames are clean and stable, as OpenVE-Bench (arXiv 2512.07826) does. A
    second and third grade above the first count as the first. The model also states for each swap
    of words between the prompts whether the new words are seen and the replaced words are gone. If
    one is not, the first grade is 1. The metric depends on the model: values of two models are not
    comparable.

    Unit: grades. Range: 1 to 5, higher is better. Null: two answers that do not follow the rubric,
    or no answer of the server; `measure_message` has the reason.
    """

    class Options(pipelines.config.options.Options):
        model: Literal["transformers", "server"] = "transformers"
        """transformers: the model of `annotate.vlm`, in the worker. server: a model on the server
        of `execution.endpoint`."""
        served_model: str | None = None
        """Name of the model on the server. Null: `annotate.endpoint.model`."""
        frames: int = Field(default=8, ge=1)
        """Number of evenly spaced frames of both clips that the model is shown."""
        max_new_tokens: int = Field(default=256, ge=1)
        """Maximum length of an answer, tokens."""

    reads: ClassVar[tuple[str, ...]] = ("annotate.vlm", "annotate.endpoint", "execution.endpoint")

    def __init__(self, config: Config, options: Options) -> None:
        self.options = options
        local = options.model == "transformers"
        self.model = LocalVLM(config) if local else ServedVLM(_with_model(config, options))

    @classmethod
    def on_gpu(cls, config: Config, options: Options) -> bool:
        """Whether the model is in the worker."""
        return options.model == "transformers"

    @classmethod
    def validate(cls, config: Config, options: Options) -> None:
        """Raises ConfigError for a hub id without a commit, or if no server or model is named."""
        if options.model == "transformers":
            LocalVLM.validate(config)
        else:
            ServedVLM.validate(_with_model(config, options))

    @classmethod
    def models(cls, config: Config, options: Options) -> "list[Source]":
        """The weights of the model, unless a server has the model."""
        return LocalVLM.models(config) if options.model == "transformers" else []

    @classmethod
    def check(cls, config: Config, options: Options) -> None:
        """Send a test request to the server, see `Endpoint.check`."""
        if options.model == "server":
            ServedVLM.check(_with_model(config, options))

    def __call__(self, sample: Sample) -> float:
        """See `strmatch.metrics.base.Metric`. Takes at most two answers of the model.

        Raises:
            NotMeasured: the second answer does not follow the rubric either, or the server gives no
                answer within `execution.endpoint.total_timeout`.
        """
        beside = np.concatenate([sample.source, sample.edited], axis=2)
        images = images_of(beside, self.options.frames)
        swapped = swaps(sample.source_prompt, sample.target_prompt)
        try:
            verdict = checked_answer(
                lambda text: self.model.ask(images, text, self.options.max_new_tokens),
                question(sample.source_prompt, sample.target_prompt, swapped),
                lambda answer: check(answer, len(swapped)),
            )
        except WrongAnswer as wrong:
            raise NotMeasured(
                f"the model answered {wrong.shown}, twice no verdict: {wrong.reason}"
            ) from None
        except RowError as error:
            raise NotMeasured(str(error)) from None
        return verdict.score


def _with_model(config: Config, options: VLMJudge.Options) -> Config:
    """Returns a configuration whose `annotate.endpoint` names the judge's model."""
    if options.served_model is None:
        return config
    annotate = config.annotate
    endpoint = annotate.endpoint.model_copy(update={"model": options.served_model})
    return config.model_copy(
        update={"annotate": annotate.model_copy(update={"endpoint": endpoint})}
    )
