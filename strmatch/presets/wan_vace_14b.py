"""Wan 2.1 VACE 14B: the preset `wan-vace` with the large model, for a GPU of 80 GB.

The preset is untested with the published weights.
"""

from dataclasses import replace

from strmatch.presets import wan_vace

PRESET = replace(
    wan_vace.PRESET,
    editor_options={
        "diffusers": {
            **wan_vace.PRESET.editor_options["diffusers"],
            "model": "Wan-AI/Wan2.1-VACE-14B-diffusers",
            "revision": "db79b90c60bbb45ceec9e41b9d5a4df934538ac4",
        }
    },
)
