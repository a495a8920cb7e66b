"""What STR-Match is compared with, as editors of a run. Settings: `editor_options`."""

import dataclasses
from typing import Any, ClassVar

import numpy as np
import pydantic

from pipelines.config import Config
from pipelines.errors import ConfigError
from pipelines.sections import STRICT
from pipelines.stages.edit import BackboneEditor


class _Baseline(BackboneEditor):
    """An editor of `strmatch.baselines`."""

    def __init__(self, config: Config) -> None:
        make, _ = self._classes()
        self.editor = make(self.load_backbone(config), self._settings(config))

    @classmethod
    def _classes(cls) -> tuple[Any, Any]:
        """The library's class, and that of its settings. They import torch."""
        raise NotImplementedError

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
            raise ConfigError("; ".join(_explain(each) for each in error.errors())) from None

    def invert(self, frames: np.ndarray, source_prompt: str) -> Any:
        return self.editor.invert(frames, source_prompt)


class SDEditEditor(_Baseline):
    """`strmatch.baselines.sdedit.SDEdit`."""

    stochastic: ClassVar[bool] = True

    @classmethod
    def _classes(cls) -> tuple[Any, Any]:
        from strmatch.baselines.sdedit import SDEdit, SDEditSettings

        return SDEdit, SDEditSettings

    def edit(
        self, inversion: Any, target_prompt: str, mask: np.ndarray | None, seed: int
    ) -> np.ndarray:
        return self.editor.edit(inversion, target_prompt, mask=mask, seed=seed).frames


class DMTEditor(_Baseline):
    """`strmatch.baselines.dmt.DMT`. It takes no mask: a clip that has one is edited as a whole."""

    stochastic: ClassVar[bool] = True

    @classmethod
    def _classes(cls) -> tuple[Any, Any]:
        from strmatch.baselines.dmt import DMT, DMTSettings

        return DMT, DMTSettings

    def edit(
        self, inversion: Any, target_prompt: str, mask: np.ndarray | None, seed: int
    ) -> np.ndarray:
        return self.editor.edit(inversion, target_prompt, seed=seed).frames


class UniEditEditor(_Baseline):
    """`strmatch.baselines.uniedit.UniEdit`."""

    stochastic: ClassVar[bool] = False

    @classmethod
    def _classes(cls) -> tuple[Any, Any]:
        from strmatch.baselines.uniedit import UniEdit, UniEditSettings

        return UniEdit, UniEditSettings

    def edit(
        self, inversion: Any, target_prompt: str, mask: np.ndarray | None, seed: int
    ) -> np.ndarray:
        return self.editor.edit(inversion, target_prompt, mask=mask).frames


def _explain(error: Any) -> str:
    if error["type"] == "value_error":  # of the settings' own checks, which name the field
        return f"editor_options: {error['ctx']['error']}"
    field = ".".join(str(part) for part in error["loc"])
    return f"editor_options.{field}: {error['msg']}, got {error['input']!r}"
