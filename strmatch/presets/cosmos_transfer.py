"""Cosmos Transfer 2.5 2B, controlled by the edges of the clip; for robots.

The pipeline makes longer clips itself, in chunks of 93 frames that continue each other. Steps and
guidance are its defaults. The parts are published in several branches of the hub, of which no
public source attests a commit: the preset names none, and a folder with the whole pipeline is given
as `editor_options.model`. The preset is untested with the published weights.
"""

from strmatch.presets import Preset
from strmatch.presets.real_footage import REAL_FOOTAGE

PRESET = Preset(
    editor="diffusers",
    num_frames=93,
    height=704,
    width=1280,
    fps=16.0,
    licence="NVIDIA Open Model License",
    editor_options={
        "diffusers": {
            "pipeline": "Cosmos2_5_TransferPipeline",
            "model": "nvidia/Cosmos-Transfer2.5-2B",
            "arguments": {"controls": "edges"},
            "frames": {"remainder": 1},
            "size": {"multiple": 16},
            "call": {
                "num_inference_steps": 36,
                "guidance_scale": 3.0,
                "num_frames_per_chunk": 93,
            },
            "memory": {"offload": "model", "vae_tiling": True},
        }
    },
    pipeline=REAL_FOOTAGE,
)
