"""CogVideoX 2B, a video transformer with joint attention, as the backbone of STR-Match.

The paper's page shows CogVideoX without a method. Steps, guidance, rate and float16 are the
defaults and the example of diffusers' `CogVideoXPipeline`, λ is the paper's. The scored blocks lie
around 15 and 17, where DiTFlow (arXiv 2412.07776) and DiffTrack (arXiv 2506.17220) read motion.

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
            "zai-org/CogVideoX-2b@1137dacfc2c9c012bed6a0793f4ecf2ca8e7ba01"
        ),
    ),
    num_frames=49,
    height=480,
    width=720,
    fps=8.0,
    licence="Apache-2.0",
    edit=EditSettings(guidance_scale=6.0, scored_levels=tuple(range(13, 22))),
    pipeline={**REAL_FOOTAGE, "backbone": {"dtype": "float16"}},
)
