import dataclasses
import json
from typing import Any, ClassVar, Protocol

import numpy as np

from pipelines.config.config import Config
from pipelines.rows import Row
from pipelines.versions import PACKAGE_VERSION


class Editor(Protocol):
    """Edits clips. Built once in each worker, and once more with `execution.memory` lean where it
    raised torch's OutOfMemoryError. See also `editor_settings`."""

    stochastic: ClassVar[bool]
    """Whether a seed changes the result."""

    def __init__(self, config: Config) -> None: ...

    @classmethod
    def revision(cls, config: Config) -> str:
        """Names the weights without loading them: equal weights, equal revision."""
        ...

    def invert(self, frames: np.ndarray, source_prompt: str) -> Any:
        """What all edits of a clip share. Frames are uint8 (f, H, W, 3)."""
        ...

    def edit(
        self, inversion: Any, target_prompt: str, mask: np.ndarray | None, seed: int
    ) -> np.ndarray:
        """Edited frames uint8 (f, H, W, 3); mask is bool (f, H, W) or None."""
        ...


class BackboneEditor:
    """What editors on the configured backbone have in common."""

    @staticmethod
    def load_backbone(config: Config) -> Any:
        """The backbone, in a process with the configured number of threads."""
        import torch

        from strmatch import load_backbone

        if config.execution.torch_threads:
            torch.set_num_threads(config.execution.torch_threads)
        dtype = None if config.backbone.dtype == "auto" else getattr(torch, config.backbone.dtype)
        return load_backbone(
            config.backbone.weights, dtype=dtype, compiled=config.execution.compiled
        )

    @classmethod
    def revision(cls, config: Config) -> str:
        from strmatch.backbones.loading import weights_folder
        from strmatch.weights.manifest import weights_revision

        return weights_revision(weights_folder(config.backbone.weights))


def editor_settings(editor: type[Editor], config: Config) -> dict[str, Any]:
    """The settings that an edit depends on: recorded with it, and part of its id.

    An editor's class method `settings(config)` says them; of others they are all of `edit` with
    `editor_options` on top.

    Raises:
        ConfigError: by such a method, where the configuration has settings that cannot be.
    """
    if hasattr(editor, "settings"):
        return editor.settings(config)
    return dataclasses.asdict(config.edit) | config.editor_options


def made_by(config: Config, editor: type[Editor], revision: str) -> Row:
    """The columns of an edit that say what made it."""
    return {
        "editor": config.editor,
        "editor_settings": json.dumps(editor_settings(editor, config)),
        "model_revision": revision,
        "package_version": PACKAGE_VERSION,
    }
