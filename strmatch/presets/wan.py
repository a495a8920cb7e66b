"""Wan 2.1 T2V 1.3B, a video transformer with joint attention, as the backbone of STR-Match.

The paper has no such model. Size, rate, steps and guidance are the defaults and the example of
diffusers' `WanPipeline`, λ is the paper's. The scored blocks are a guess.

The preset is unmeasured, and untested with the published weights.
"""

from strmatch.presets import Preset
from strmatch.presets.published import Published, video_transformer
from strmatch.presets.real_footage import REAL_FOOTAGE
from strmatch.settings import EditSettings

PRESET = Preset(
    weights=Published(
        convert="strmatch.backbones.joint.conversion:convert_transformer",
        checkpoint=video_transformer(
            "Wan-AI/Wan2.1-T2V-1.3B-Diffusers@0fad780a534b6463e45facd96134c9f345acfa5b"
        ),
    ),
    num_frames=81,
    height=480,
    width=832,
    fps=16.0,
    licence="Apache-2.0",
    edit=EditSettings(guidance_scale=5.0, scored_levels=tuple(range(8, 16))),
    pipeline=REAL_FOOTAGE,
)
