"""Wan 2.1 T2V 1.3B, video to video: noise is added to the clip and removed under the target prompt.

Strength and guidance are those of the example in diffusers. The model takes no mask: the clip's own
pixels are laid outside. The preset is untested with the published weights.
"""

from dataclasses import replace

from strmatch.presets import wan_vace

OPTIONS = wan_vace.PRESET.editor_options["diffusers"]
PRESET = replace(
    wan_vace.PRESET,
    editor_options={
        "diffusers": {
            **OPTIONS,
            "pipeline": "WanVideoToVideoPipeline",
            "model": "Wan-AI/Wan2.1-T2V-1.3B-Diffusers",
            "revision": "0fad780a534b6463e45facd96134c9f345acfa5b",
            "call": {**OPTIONS["call"], "num_inference_steps": 50, "strength": 0.7},
        }
    },
)
