"""LaVie base, the main model of the paper, with the settings of the paper.

The preset is untested with the published weights.
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
