"""Zeroscope v2 576w, the model of the paper's appendix, with the settings of its main experiments.

The architecture is ModelScope's. The published pickles are pinned by commit alone: no public source
attests their SHA-256. The preset is untested with the published weights.
"""

from strmatch.presets import Preset
from strmatch.presets.published import (
    DIFFUSERS,
    DIFFUSERS_PICKLE,
    TOKENIZER,
    TRANSFORMERS,
    TRANSFORMERS_PICKLE,
    Published,
)
from strmatch.presets.real_footage import REAL_FOOTAGE
from strmatch.settings import EditSettings
from strmatch.weights.source import Source

CONFIGS = (
    *(f"{part}/config.json" for part in ("unet", "vae", "text_encoder")),
    "scheduler/scheduler_config.json",
)

PRESET = Preset(
    weights=Published(
        convert="strmatch.backbones.conversion:convert_zeroscope",
        checkpoint=Source(
            "cerspense/zeroscope_v2_576w@6963642a64dbefa93663d1ecebb4ceda2d9ecb28",
            files=(
                *CONFIGS,
                *(
                    f"{part}/{name}"
                    for part in ("unet", "vae")
                    for name in (DIFFUSERS, DIFFUSERS_PICKLE)
                ),
                *(f"text_encoder/{name}" for name in (TRANSFORMERS, TRANSFORMERS_PICKLE)),
                *TOKENIZER,
            ),
            needed=(*CONFIGS, "unet/diffusion*", "vae/diffusion*", "text_encoder/*model.*"),
        ),
    ),
    num_frames=24,
    height=320,
    width=576,
    fps=8.0,
    licence="CC BY-NC 4.0: no commercial use",
    edit=EditSettings(),
    # Weights 3.3, score pass 20.6 (lean 7.2), cached Ω_src 8.6, which is their limit (lean none).
    gpu_gb=(32.5, 10.5),
    pipeline=REAL_FOOTAGE,
)
