"""AnimateDiff's motion modules in Stable Diffusion 1.5, with the paper's settings for LaVie.

The paper does not evaluate AnimateDiff. The preset is untested with the published weights.
"""

from strmatch.presets import Preset
from strmatch.settings import EditSettings

PRESET = Preset(
    weights=None,
    num_frames=16,
    height=512,
    width=512,
    fps=8.0,
    edit=EditSettings(),
)
