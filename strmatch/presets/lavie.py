"""LaVie base, the paper's main model, with the paper's settings at their most literal.

Nothing here was measured on LaVie's weights: they have not been run by this project.
"""

from strmatch.presets import Preset
from strmatch.settings import EditSettings

PRESET = Preset(
    weights=None,
    num_frames=16,
    height=320,
    width=512,
    fps=8.0,
    edit=EditSettings(),
)
