"""The models of the small world: their kinds, their presets, and the CLIP that measures them."""

from pathlib import Path

from strmatch import WeightsError
from strmatch.backbones.folder import weights_folder
from strmatch.backbones.joint import load
from strmatch.presets import Preset, load_preset
from strmatch.weights.strict import read_config

EMBEDDED = "miniature"


def is_joint(weights: str) -> bool:
    """See `strmatch.backbones.joint.load.is_joint`."""
    return load.is_joint(weights_folder(weights))


def preset_of(weights: str) -> Preset:
    """The preset whose settings suit a model."""
    return load_preset("miniature-joint" if is_joint(weights) else "miniature")


def clip_folder(weights: str) -> Path:
    """The CLIP of a model, or the embedded one, which has the same words, if it has none."""
    own = weights_folder(weights) / "clip"
    return own if own.is_dir() else weights_folder(EMBEDDED) / "clip"


def knows_small_world(folder: Path) -> bool:
    """Whether a model has a CLIP of its own, or the words of the embedded model."""
    if (folder / "clip").is_dir():
        return True
    try:
        return _words(folder) == _words(weights_folder(EMBEDDED))
    except WeightsError:
        return False


def _words(folder: Path) -> object:
    return read_config(folder / "tokenizer" / "tokenizer.json").get("model")
