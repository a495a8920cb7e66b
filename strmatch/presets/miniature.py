"""The embedded model: the LaVie architecture at a size that a laptop's CPU edits with."""

from pathlib import Path

import strmatch.miniature
from strmatch.presets import Preset
from strmatch.settings import EditSettings

PRESET = Preset(
    weights=str(Path(strmatch.miniature.__file__).parent / "weights"),
    num_frames=16,
    height=64,
    width=64,
    fps=8.0,
    edit=EditSettings(
        num_inference_steps=20,
        guidance_scale=4.0,
        # Without the finest level only 8×8 and 4×4 positions are left, which is what the
        # paper's "all but the finest" means here.
        scored_levels=(1, 2),
    ),
)
