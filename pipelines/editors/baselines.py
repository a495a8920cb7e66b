"""The methods that STR-Match is compared with, as editors.

Their options are the settings of `strmatch.baselines`. Where an option is not given, the section
`edit` decides those that suit the backbone: number of steps, guidance, inversion, mask dilation,
windows.
"""

import dataclasses
from importlib import import_module
from typing import Any, ClassVar

import numpy as np

from pipelines.config.config import Config
from pipelines.editors.base import BackboneEditor
from strmatch.baselines.settings import (
    DMTSettings,
    FlowEditSettings,
    SamplingSettings,
    SDEditSettings,
    UniEditSettings,
    shared_settings,
)


class _Baseline(BackboneEditor):
    """An editor of `strmatch.baselines`."""

    method: ClassVar[str]
    """Module and class below `strmatch.baselines`. Imported where an editor is built, because the
    checks of settings must not import torch."""
    Options: ClassVar[type[SamplingSettings]]
    stochastic: ClassVar[bool] = False
    masked: ClassVar[bool] = True
    """Whether the method takes a mask."""

    def __init__(self, config: Config, options: SamplingSettings) -> None:
        module, _, name = self.method.partition(":")
        method = getattr(import_module(f"strmatch.baselines.{module}"), name)
        self.editor = method(self.load_backbone(config), options)

    @classmethod
    def defaults(cls, config: Config) -> dict[str, Any]:
        return shared_settings(cls.Options, config.edit)

    @classmethod
    def validate(cls, config: Config, options: SamplingSettings) -> None:
        """Raises ConfigError for windows that leave frames out."""
        cls.check_windows(config)

    @classmethod
    def settings(cls, config: Config, options: SamplingSettings) -> dict[str, Any]:
        return dataclasses.asdict(options)

    def invert(self, frames: np.ndarray, source_prompt: str) -> Any:
        return self.editor.invert(frames, source_prompt)

    def edit(
        self, inversion: Any, target_prompt: str, mask: np.ndarray | None, seed: int
    ) -> np.ndarray:
        arguments: dict[str, Any] = {"mask": mask} if self.masked else {}
        arguments |= {"seed": seed} if self.stochastic else {}
        return self.editor.edit(inversion, target_prompt, **arguments).frames


class SDEditEditor(_Baseline):
    """`strmatch.baselines.sdedit.SDEdit`."""

    method = "sdedit:SDEdit"
    Options = SDEditSettings
    stochastic = True


class FlowEditEditor(_Baseline):
    """`strmatch.baselines.flowedit.FlowEdit`."""

    method = "flowedit:FlowEdit"
    Options = FlowEditSettings
    stochastic = True


class DMTEditor(_Baseline):
    """`strmatch.baselines.dmt.DMT`, which takes no mask and edits the whole clip."""

    method = "dmt:DMT"
    Options = DMTSettings
    stochastic = True
    masked = False


class UniEditEditor(_Baseline):
    """`strmatch.baselines.uniedit.UniEdit`."""

    method = "uniedit:UniEdit"
    Options = UniEditSettings
