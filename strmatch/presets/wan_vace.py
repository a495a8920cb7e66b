"""Wan 2.1 VACE 1.3B: video, mask and prompt; what lies outside the mask stays.

Steps and guidance are those of the example in diffusers.

The preset is untested with the published weights.
"""

from strmatch.presets import Preset
from strmatch.presets.real_footage import REAL_FOOTAGE

WAN_NEGATIVE = "blurry, overexposed, static, low quality, deformed, subtitles, watermark"

PRESET = Preset(
    editor="diffusers",
    num_frames=81,
    height=480,
    width=832,
    fps=16.0,
    licence="Apache-2.0",
    editor_options={
        "diffusers": {
            "pipeline": "WanVACEPipeline",
            "model": "Wan-AI/Wan2.1-VACE-1.3B-diffusers",
            "revision": "ec4d2cb062b548996b179d493fdd05340de702a1",
            "frames": {"multiple": 4, "remainder": 1, "max": 81, "overlap": 16},
            "size": {"multiple": 16},
            "call": {
                "num_inference_steps": 30,
                "guidance_scale": 5.0,
                "negative_prompt": WAN_NEGATIVE,
            },
            "memory": {"offload": "model", "vae_tiling": True},
        }
    },
    pipeline=REAL_FOOTAGE,
)
