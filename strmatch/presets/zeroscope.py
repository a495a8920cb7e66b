"""Zeroscope v2 576w, the model of the paper's appendix, with the settings of its main experiments.

The architecture is ModelScope's. The preset is untested with the published weights.
"""

from strmatch.presets import Preset
from strmatch.settings import EditSettings

PRESET = Preset(
    weights=None,
    num_frames=24,
    height=320,
    width=576,
    fps=8.0,
    edit=EditSettings(),
)
