"""The contract of editors, which make edited clips.

`editor` chooses an editor by name; other packages add names through the entry-point group
`strmatch.editor`. A whole editor:

    class Tint:
        stochastic = False

        class Options(pipelines.config.options.Options):
            red: int = 64
            \"""Added to the red channel inside the mask, 0–255.\"""

        def __init__(self, config: Config, options: Options) -> None:
            self.red = options.red

        @classmethod
        def revision(cls, config: Config, options: Options) -> str:
            return "1"

        def invert(self, frames: np.ndarray, source_prompt: str) -> np.ndarray:
            return frames

        def edit(
            self, inversion: np.ndarray, target_prompt: str, mask: np.ndarray | None, seed: int
        ) -> np.ndarray:
            tinted = inversion.astype(int) + np.array([self.red, 0, 0])
            inside = np.ones(inversion.shape[:3], bool) if mask is None else mask
            return np.where(inside[..., None], tinted.clip(0, 255), inversion).astype(np.uint8)

A class without `Options` is built of `config` alone and may read `editor_options` itself. Options
are those of `editor_options`. The hooks `validate`, `models` and `defaults` are optional: see
`pipelines.config.options`. So is `settings(config)`, which returns everything that an edit depends
on, as JSON values. Default: the section `edit` and the options. And so is `edit_regions`, for edits
of several objects.
"""

import dataclasses
import json
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np

from pipelines.config.config import Config
from pipelines.config.options import Choice, choose
from pipelines.config.windows import window_stride
from pipelines.errors import ConfigError
from pipelines.rows import Row
from pipelines.versions import PACKAGE_VERSION
from strmatch.backbones.published import conversion_cache
from strmatch.presets import PRESETS, load_preset
from strmatch.presets.published import Published
from strmatch.sampling.windows import window_starts
from strmatch.weights.source import Source


class Region(NamedTuple):
    """A part of a clip, and what is there after an edit of several parts."""

    mask: np.ndarray
    """bool (f, H, W), True where the clip is to change."""
    prompt: str
    """What is there after the edit: words of the prompt of the whole clip."""


class Editor(Protocol):
    """Edits clips. Built once in each worker.

    Where an editor raises torch's OutOfMemoryError, another one is built with `execution.memory`
    set to lean.
    """

    stochastic: ClassVar[bool]
    """Whether the seed changes the result."""

    ladder_section: ClassVar[str]
    """Optional. The section that the rungs of `edit.ladder` override: "edit" or "editor_options",
    which is the default."""

    def __init__(self, config: Config, *options: Any) -> None: ...

    @classmethod
    def validate(cls, config: Config, *options: Any) -> None:
        """Optional. Raises ConfigError where the settings cannot work."""

    @classmethod
    def revision(cls, config: Config, *options: Any) -> str:
        """Identifies the weights without loading them: equal weights have equal revisions.

        Called before any work.

        Raises:
            Exception: the weights are missing.
        """
        ...

    def invert(self, frames: np.ndarray, source_prompt: str) -> Any:
        """Compute what all edits of a clip share. Frames are uint8 (f, H, W, 3), RGB."""
        ...

    def edit(
        self, inversion: Any, target_prompt: str, mask: np.ndarray | None, seed: int
    ) -> np.ndarray:
        """Edit a clip.

        Args:
            inversion: the result of `invert`.
            mask: bool (f, H, W), True where the clip is to change; None: everywhere.

        Returns:
            Frames uint8 (f, H, W, 3) of the clip's shape. Anything else fails the edit.
        """
        ...

    def edit_regions(
        self, inversion: Any, target_prompt: str, regions: Sequence[Region], seed: int
    ) -> np.ndarray:
        """Optional. Edit several regions of a clip at once, each by words of its own.

        An editor without this method edits the union of the regions by the target prompt.

        Args:
            inversion: the result of `invert`.
            target_prompt: describes the whole clip after the edit.
            regions: from back to front.

        Returns:
            As `edit`.
        """
        ...

    def unread(self, prompt: str) -> str | None:
        """Optional. Returns the end of a prompt that the model does not read, or None."""


class BackboneEditor:
    """What editors on the configured backbone have in common."""

    editor: Any
    """An editor of `strmatch`."""

    def unread(self, prompt: str) -> str | None:
        """See `Editor.unread`."""
        return self.editor.backbone.unread(prompt)

    @staticmethod
    def check_windows(config: Config) -> None:
        """Check the stride against the window, which has `clip.num_frames`.

        Raises:
            ConfigError: windows would leave frames out.
        """
        try:
            window_starts(config.clip.num_frames, config.clip.num_frames, window_stride(config))
        except ValueError as error:
            raise ConfigError(f"edit: {error}") from None

    @staticmethod
    def load_backbone(config: Config) -> Any:
        """Load the backbone, and set the number of CPU threads of this process.

        Raises:
            ConfigError: the stride of windows does not fit the frames of a latent frame.
        """
        import torch

        from strmatch import load_backbone
        from strmatch.sampling.fusion import check_stride_fits

        if config.execution.torch_threads:
            torch.set_num_threads(config.execution.torch_threads)
        dtype = None if config.backbone.dtype == "auto" else getattr(torch, config.backbone.dtype)
        backbone = load_backbone(
            config.backbone.weights,
            dtype=dtype,
            num_frames=config.clip.num_frames,
            compiled=config.execution.compiled,
            access=config.execution.access,
        )
        try:
            check_stride_fits(window_stride(config), backbone)
        except ValueError as error:
            raise ConfigError(f"edit: {error}") from None
        return backbone

    @classmethod
    def models(cls, config: Config, *options: Any) -> list[Source]:
        """The published weights that are still to be converted to the backbone."""
        weights, access = config.backbone.weights, config.execution.access
        published = load_preset(weights).weights if weights in PRESETS else None
        if not isinstance(published, Published) or access.store:
            return []
        if conversion_cache(weights, published).is_dir():
            return []
        return [source for source in (published.checkpoint, published.base) if source]

    @classmethod
    def revision(cls, config: Config, *options: Any) -> str:
        """Identifies the weights of the backbone."""
        from strmatch.backbones.folder import weights_folder
        from strmatch.weights.manifest import weights_revision

        folder = weights_folder(config.backbone.weights, config.execution.access)
        return weights_revision(folder)


def build_editor(editor: type[Editor], config: Config) -> Editor:
    """An instance of an editor, with its options."""
    return _choice(editor, config).build()


def editor_settings(editor: type[Editor], config: Config) -> dict[str, Any]:
    """The settings that an edit depends on: recorded with each edit, and part of its id.

    Raises:
        ConfigError: in one line, which setting cannot work.
    """
    choice = _choice(editor, config)
    choice.validate()
    if hasattr(editor, "settings"):
        return choice.call("settings")
    options = choice.options_dump() if choice.has_options else config.editor_options
    return dataclasses.asdict(config.edit.settings) | options


def uses_backbone(config: Config) -> bool:
    """Whether the editor of a configuration edits by the configured backbone."""
    return issubclass(choose("editor", config).plugin, BackboneEditor)


def weights_licence(config: Config) -> str | None:
    """Licence of the weights of an editor, where a preset states it. None: not known."""
    backbone = config.backbone.weights
    if uses_backbone(config):
        preset = load_preset(backbone) if backbone in PRESETS else None
        return preset.licence if preset and preset.weights is not None else None
    model = config.editor_options.get("model")
    for preset in map(load_preset, dict.fromkeys([config.preset, *PRESETS.built_in])):
        own = preset.editor_options.get(config.editor, {}).get("model")
        if own is not None and own == model:
            return preset.licence
    return None


def editor_revision(editor: type[Editor], config: Config) -> str:
    """Identifies the weights of an editor without loading them."""
    return _choice(editor, config).call("revision")


def made_by(config: Config, editor: type[Editor], revision: str) -> Row:
    """The columns of an edit that say what made it."""
    return {
        "editor": config.editor,
        "editor_settings": json.dumps(editor_settings(editor, config)),
        "model_revision": revision,
        "package_version": PACKAGE_VERSION,
    }


def _choice(editor: type[Editor], config: Config) -> Choice:
    return Choice("editor", config.editor, editor, config)
