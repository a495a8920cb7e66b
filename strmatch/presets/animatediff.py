"""AnimateDiff's motion modules in Stable Diffusion 1.5, with the paper's settings for LaVie.

The paper does not evaluate AnimateDiff. The preset is untested with the published weights.
"""

from strmatch.presets import Preset
from strmatch.presets.published import DIFFUSERS, Published, stable_diffusion
from strmatch.presets.real_footage import REAL_FOOTAGE
from strmatch.settings import EditSettings
from strmatch.weights.source import Source

ADAPTER = ("config.json", DIFFUSERS)

PRESET = Preset(
    weights=Published(
        convert="strmatch.backbones.conversion:convert_animatediff",
        checkpoint=Source(
            "guoyww/animatediff-motion-adapter-v1-5-2@6167b88ffe39b4441fdf2113e77b99a6f56b7906",
            files=ADAPTER,
            needed=ADAPTER,
        ),
        base=stable_diffusion(
            "stable-diffusion-v1-5/stable-diffusion-v1-5@451f4fe16113bff5a5d2269ed5ad43b0592e9a14",
            "unet/config.json",
            f"unet/{DIFFUSERS}",
        ),
    ),
    num_frames=16,
    height=512,
    width=512,
    fps=8.0,
    edit=EditSettings(),
    # Weights 3.0, score pass 16.4 (lean 7.6), cached Ω_src 8.6, which is their limit (lean none).
    gpu_gb=(28.0, 10.6),
    pipeline=REAL_FOOTAGE,
)
