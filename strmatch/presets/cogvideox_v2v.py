"""CogVideoX 2B, video to video: noise is added to the clip and removed under the target prompt.

The model was trained in float16, on 8k + 1 frames. It takes no mask: the clip's own pixels are laid
outside. Strength, guidance and steps are the defaults of diffusers.

The preset is untested with the published weights.
"""

from strmatch.presets import Preset
from strmatch.presets.real_footage import REAL_FOOTAGE

PRESET = Preset(
    editor="diffusers",
    num_frames=49,
    height=480,
    width=720,
    fps=8.0,
    licence="Apache-2.0",
    editor_options={
        "diffusers": {
            "pipeline": "CogVideoXVideoToVideoPipeline",
            "model": "zai-org/CogVideoX-2b",
            "revision": "1137dacfc2c9c012bed6a0793f4ecf2ca8e7ba01",
            "frames": {"multiple": 8, "remainder": 1, "max": 49, "overlap": 8},
            "size": {"multiple": 16},
            "call": {"num_inference_steps": 50, "guidance_scale": 6.0, "strength": 0.8},
            "memory": {"offload": "model", "vae_tiling": True, "vae_slicing": True},
        }
    },
    pipeline={**REAL_FOOTAGE, "backbone": {"dtype": "float16"}},
)
