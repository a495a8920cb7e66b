"""LTX-Video 0.9.5, conditioned by the clip: every frame keeps a share `strength` of the clip.

The model takes no mask: the clip's own pixels are laid outside. `strength` is by reasoning, the
steps are those of the example in diffusers, the decoder's timestep and noise are customary.

The preset is untested with the published weights.
"""

from strmatch.presets import Preset
from strmatch.presets.real_footage import REAL_FOOTAGE

PRESET = Preset(
    editor="diffusers",
    num_frames=97,
    height=480,
    width=704,
    fps=24.0,
    licence="LTX-Video Open RAIL-M: commercial use with restrictions",
    editor_options={
        "diffusers": {
            "pipeline": "LTXConditionPipeline",
            "model": "Lightricks/LTX-Video-0.9.5",
            "revision": "e58e28c39631af4d1468ee57a853764e11c1d37e",
            "arguments": {"frame_rate": "fps"},
            "frames": {"multiple": 8, "remainder": 1, "max": 161, "overlap": 24},
            "size": {"multiple": 32},
            "call": {
                "num_inference_steps": 40,
                "guidance_scale": 3.0,
                "strength": 0.4,
                "decode_timestep": 0.05,
                "decode_noise_scale": 0.025,
                "negative_prompt": "worst quality, inconsistent motion, blurry, jittery, distorted",
            },
            "memory": {"offload": "model", "vae_tiling": True},
        }
    },
    pipeline=REAL_FOOTAGE,
)
