"""What families of pipelines refuse: sizes and numbers of frames, and packages that they need."""

from importlib.util import find_spec
from typing import NamedTuple

from pipelines.editors.diffusers.options import DiffusersOptions, call_size
from pipelines.errors import ConfigError


class Family(NamedTuple):
    """What pipelines of a family require of a video and of this machine."""

    size: int
    """Height and width are multiples of this number of pixels."""
    frames: int
    """The number of frames is a multiple of this number, plus one. 1: any number."""
    packages: tuple[str, ...] = ()
    """Python packages without which the pipelines fail."""


FAMILIES = {
    "Wan": Family(size=16, frames=4),
    "LTX": Family(size=32, frames=8),
    "CogVideoX": Family(size=16, frames=4),
    "Cosmos2_5_Transfer": Family(size=16, frames=1, packages=("torchvision", "cosmos_guardrail")),
    "AnimateDiff": Family(size=8, frames=1),
}
"""By the beginning of a class's name in diffusers."""


def check_family(options: DiffusersOptions, clip: tuple[int, int]) -> None:
    """Check size, rule of frames and packages of a pipeline of a known family.

    Args:
        clip: height and width of clips, pixels.

    Raises:
        ConfigError: in one line, what the pipeline would refuse, or which packages are missing.
    """
    family = next((FAMILIES[name] for name in FAMILIES if options.pipeline.startswith(name)), None)
    if family is None:
        return
    height, width = call_size(options.size, clip)
    if height % family.size or width % family.size:
        raise ConfigError(
            f"editor_options.size: {options.pipeline} takes no {height}×{width} pixels: set "
            f"multiple to {family.size}, and height and width, if given, to multiples of it"
        )
    rule = options.frames
    if rule.multiple % family.frames or (rule.remainder - 1) % family.frames:
        raise ConfigError(
            f"editor_options.frames: {options.pipeline} takes k · {family.frames} + 1 frames, not "
            f"k · {rule.multiple} + {rule.remainder}"
        )
    missing = [package for package in family.packages if find_spec(package) is None]
    if missing:
        raise ConfigError(
            f"editor_options.pipeline: {options.pipeline} needs the Python packages "
            f"{', '.join(missing)}: install them"
        )
