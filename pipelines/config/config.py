"""A whole configuration, and what its sections must agree on."""

from typing import Any

import pydantic

from pipelines.config.clip import Clip
from pipelines.config.edit import Edit
from pipelines.config.input import Input
from pipelines.config.sections import (
    Annotate,
    Backbone,
    Execution,
    Measure,
    Publish,
    Section,
    listed,
)
from pipelines.errors import ConfigError


class Config(Section):
    """The settings of a run. `pipelines.config.loading` makes one of a preset and a user's values.

    Plug-ins check their own settings: see `pipelines.config.options`.
    """

    preset: str
    """Name of the preset that supplies the defaults for a model."""
    seed: int = pydantic.Field(default=0, ge=0)
    """Seed for the choice of target prompts and for stochastic editors."""
    input: Input = Input()
    """Which part of a LeRobot dataset is edited. Inputs of other kinds are taken whole."""
    clip: Clip
    """How clips are cut out of videos."""
    annotate: Annotate = Annotate()
    """Masks, captions and targets, where the manifest gives none."""
    backbone: Backbone
    """The text-to-video model."""
    editor: str = pydantic.Field(
        default="str_match",
        description=f"Plug-in that edits: {listed('editor')}, the name of an entry point, or "
        "module:Class.",
    )
    edit: Edit
    """Settings of str_match, and the number of tries of any editor. The editors sdedit, dmt,
    uniedit and flowedit take from here what suits the backbone: number of steps, guidance,
    inversion, mask dilation, windows."""
    editor_options: dict[str, Any] = pydantic.Field(default_factory=dict)
    """Options that the editor declares. str_match has none."""
    measure: Measure = Measure()
    """What is measured of every edit."""
    publish: Publish = Publish()
    """Limits for edits, and layout of the dataset."""
    execution: Execution = Execution()
    """Resources, limits and speed. These settings change no result and no id."""

    @pydantic.model_validator(mode="after")
    def _measures_what_it_limits(self) -> "Config":
        for name in self.publish.bounds:
            if name not in self.measure.metrics:
                measured = ", ".join(self.measure.metrics) or "nothing"
                raise ConfigError(
                    f"publish.limits: {name} is not measured; measure.metrics has {measured}"
                )
        return self


def served(config: Config) -> tuple[str, str]:
    """The base URL of the server and the name of the model on it.

    Raises:
        ConfigError: one of them is not set.
    """
    base_url, model = config.execution.endpoint.base_url, config.annotate.endpoint.model
    if base_url is None or model is None:
        raise ConfigError(
            "openai, llm and vlm_judge (model=server) need a server: set "
            "execution.endpoint.base_url (http://host:8000/v1) and annotate.endpoint.model"
        )
    return base_url, model
