"""STR-Match: training-free video editing on a pretrained text-to-video model.

>>> backbone = load_backbone("miniature")
>>> (frames,) = generate(backbone, ["a red circle moving right over bricks"])
>>> editor = STRMatch(backbone)
>>> inversion = editor.invert(frames, "a red circle moving right over bricks")
>>> editor.edit(inversion, "a blue square moving right over bricks").frames
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from strmatch.backbones.loading import load_backbone
    from strmatch.editor import EditResult, Inversion, STRMatch
    from strmatch.finite import NotFinite
    from strmatch.generation import generate
    from strmatch.regions import Region
    from strmatch.score import str_score
    from strmatch.settings import EditSettings
    from strmatch.weights.errors import WeightsError

    __version__: str

__all__ = [
    "EditResult",
    "EditSettings",
    "Inversion",
    "NotFinite",
    "Region",
    "STRMatch",
    "WeightsError",
    "__version__",
    "generate",
    "load_backbone",
    "str_score",
]
_HOMES = {
    "EditResult": "strmatch.editor",
    "EditSettings": "strmatch.settings",
    "Inversion": "strmatch.editor",
    "NotFinite": "strmatch.finite",
    "Region": "strmatch.regions",
    "STRMatch": "strmatch.editor",
    "WeightsError": "strmatch.weights.errors",
    "generate": "strmatch.generation",
    "load_backbone": "strmatch.backbones.loading",
    "str_score": "strmatch.score",
}


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    # On demand, because torch takes seconds to import and a command line's --help needs none of it.
    if name == "__version__":
        return import_module("importlib.metadata").version("strmatch")
    if name not in _HOMES:
        raise AttributeError(f"module 'strmatch' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
