"""LaVie base, the main model of the paper, with the defaults of `EditSettings`.

These are the values that the paper states, and choices where the paper is silent.

The preset is untested with the published weights.
"""

from strmatch.presets import Preset
from strmatch.presets.published import Published, stable_diffusion
from strmatch.presets.real_footage import REAL_FOOTAGE
from strmatch.settings import EditSettings
from strmatch.weights.source import Source

CHECKPOINT = "lavie_base.pt"

PRESET = Preset(
    weights=Published(
        convert="strmatch.backbones.conversion:convert_lavie",
        checkpoint=Source(
            "Vchitect/LaVie@f3d06bfd93356330d57296aaee1b48690e929f08",
            files=(CHECKPOINT,),
            needed=(CHECKPOINT,),
        ),
        base=stable_diffusion(
            "CompVis/stable-diffusion-v1-4@133a221b8aa7292a167afc5127cb63fb5005638b"
        ),
        sha256="043d383d8b35289e98862cf7c6249f198db641f8690f283679942fc5af32ef2f",
    ),
    num_frames=16,
    height=320,
    width=512,
    fps=8.0,
    licence="Apache-2.0 (LaVie), CreativeML Open RAIL-M (Stable Diffusion 1.4)",
    edit=EditSettings(),
    # Weights 2.2, score pass 6.4 (lean 3.0), cached Ω_src of 50 steps 7.0 (lean none).
    gpu_gb=(15.6, 5.2),
    pipeline=REAL_FOOTAGE,
)
