"""What STR-Match is compared with, as editors of a run. Settings: `editor_options`."""

import dataclasses
from importlib import import_module
from typing import Any, ClassVar

import numpy as np
import pydantic

from pipelines.config.config import Config
from pipelines.config.explain import explain
from pipelines.config.sections import STRICT
from pipelines.editors.base import BackboneEditor
from pipelines.errors import ConfigError


class _Baseline(BackboneEditor):
    """An editor of `strmatch.baselines`."""

    path: ClassVar[str]
    """Its module and class, below strmatch.baselines."""
    stochastic: ClassVar[bool] = False
    masked: ClassVar[bool] = True
    """Whether it takes a mask."""

    def __init__(self, config: Config) -> None:
        make, _ = self._classes()
        self.editor = make(self.load_backbone(config), self._settings(config))

    @classmethod
    def _classes(cls) -> tuple[Any, Any]:
        """The library's class, and that of its settings. They import torch."""
        module, _, name = cls.path.partition(":")
        found = import_module(f"strmatch.baselines.{module}")
        return getattr(found, name), getattr(found, f"{name}Settings")

    @classmethod
    def settings(cls, config: Config) -> dict[str, Any]:
        return dataclasses.asdict(cls._settings(config))

    @classmethod
    def _settings(cls, config: Config) -> Any:
        from strmatch.baselines.base import shared_settings

        _, kind = cls._classes()
        known = [field.name for field in dataclasses.fields(kind)]
        for name in sorted(config.editor_options.keys() - set(known)):
            raise ConfigError(
                f"editor_options.{name}: no such option of {config.editor}; "
                f"there is {', '.join(known)}"
            )
        # Read as strictly as the rest of a configuration.
        adapter = pydantic.TypeAdapter(pydantic.with_config(STRICT)(kind))
        try:
            return adapter.validate_python(
                shared_settings(kind, config.edit) | config.editor_options
            )
        except pydantic.ValidationError as error:
            wrong = (each | {"loc": ("editor_options", *each["loc"])} for each in error.errors())
            raise ConfigError("; ".join(explain(each) for each in wrong)) from None

    def invert(self, frames: np.ndarray, source_prompt: str) -> Any:
        return self.editor.invert(frames, source_prompt)

    def edit(
        self, inversion: Any, target_prompt: str, mask: np.ndarray | None, seed: int
    ) -> np.ndarray:
        options: dict[str, Any] = {"mask": mask} if self.masked else {}
        options |= {"seed": seed} if self.stochastic else {}
        return self.editor.edit(inversion, target_prompt, **options).frames


class SDEditEditor(_Baseline):
    """`strmatch.baselines.sdedit.SDEdit`."""

    path = "sdedit:SDEdit"
    stochastic = True


class DMTEditor(_Baseline):
    """`strmatch.baselines.dmt.DMT`. It takes no mask: a clip that has one is edited as a whole."""

    path = "dmt:DMT"
    stochastic = True
    masked = False


class UniEditEditor(_Baseline):
    """`strmatch.baselines.uniedit.UniEdit`."""

    path = "uniedit:UniEdit"
