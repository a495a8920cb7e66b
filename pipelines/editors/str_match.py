"""The editor `str_match`."""

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from pipelines.config.config import Config
from pipelines.editors.base import BackboneEditor, Region
from pipelines.errors import ConfigError


class STRMatchEditor(BackboneEditor):
    """`strmatch.STRMatch`. Its settings are the section `edit`."""

    stochastic: ClassVar[bool] = False
    ladder_section: ClassVar[str] = "edit"

    def __init__(self, config: Config) -> None:
        from strmatch import STRMatch

        backbone = self.load_backbone(config)
        self.editor = STRMatch(backbone, config.edit.settings, memory=config.execution.memory)

    @classmethod
    def validate(cls, config: Config) -> None:
        """Raises ConfigError for options of another editor, or windows that leave frames out."""
        if config.editor_options:
            raise ConfigError("editor_options: str_match has none, its settings are those of edit")
        cls.check_windows(config)

    @classmethod
    def settings(cls, config: Config) -> dict[str, Any]:
        return dataclasses.asdict(config.edit.settings)

    def invert(self, frames: np.ndarray, source_prompt: str) -> Any:
        return self.editor.invert(frames, source_prompt)

    def edit(
        self, inversion: Any, target_prompt: str, mask: np.ndarray | None, seed: int
    ) -> np.ndarray:
        return self.editor.edit(inversion, target_prompt, mask=mask).frames

    def edit_regions(
        self, inversion: Any, target_prompt: str, regions: Sequence[Region], seed: int
    ) -> np.ndarray:
        from strmatch import regions as strmatch_regions

        each = [strmatch_regions.Region(*region) for region in regions]
        return self.editor.edit(inversion, each, joint_prompt=target_prompt).frames
