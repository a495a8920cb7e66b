from typing import Any

import pydantic

from pipelines.config.sections import (
    Annotate,
    Backbone,
    Clip,
    Execution,
    Measure,
    Publish,
    Section,
)
from pipelines.errors import ConfigError
from strmatch.settings import EditSettings


class Config(Section):
    preset: str
    """The preset that everything else is laid over."""
    seed: int = 0
    """Chooses among possible target prompts; drives editors that are stochastic."""
    clip: Clip
    """How clips are cut out of videos."""
    annotate: Annotate = Annotate()
    """Masks, captions and targets, where the manifest gives none."""
    backbone: Backbone
    """The text-to-video model."""
    editor: str = "str_match"
    """What edits: str_match, sdedit, dmt, uniedit, an entry point or module:object."""
    edit: EditSettings
    """The settings of str_match. Other editors share those that suit the backbone: steps, guidance,
    how it inverts, the mask's dilation."""
    editor_options: dict[str, Any] = pydantic.Field(default_factory=dict)
    """Settings of another editor than str_match, beside or in place of those it shares."""
    measure: Measure = Measure()
    """What is measured of every edit."""
    publish: Publish = Publish()
    """Which edits are good enough, and how the dataset is laid out."""
    execution: Execution = Execution()
    """Where and how fast. Changes no result and is never part of an id."""

    @pydantic.model_validator(mode="after")
    def _measures_what_it_limits(self) -> "Config":
        for name in self.publish.limits:
            if name not in self.measure.metrics:
                measured = ", ".join(self.measure.metrics) or "nothing"
                raise ConfigError(
                    f"publish.limits: {name} is not measured; measure.metrics has {measured}"
                )
        return self


def served(config: Config) -> tuple[str, str]:
    """Where a model is served, and what it is called there.

    Raises:
        ConfigError: either is not set.
    """
    base_url, model = config.execution.endpoint.base_url, config.annotate.endpoint.model
    if base_url is None or model is None:
        raise ConfigError(
            "openai and llm ask a server: set execution.endpoint.base_url (http://host:8000/v1) "
            "and annotate.endpoint.model"
        )
    return base_url, model
