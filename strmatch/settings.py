"""The settings of an edit. Every field changes the result."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class EditSettings:
    """Settings of Algorithm 1. The defaults are the paper's, read as literally as possible.

    Where the paper leaves a choice open the field says so; a preset may fix it for its backbone.
    """

    num_inference_steps: int = 50
    """DDIM steps, of the inversion and of the denoising alike."""

    guidance_scale: float = 7.5
    """Classifier-free guidance towards the target prompt; 1 switches it off."""

    negative_prompt: str | None = None
    """Prompt of the unconditional slot. Null: the source prompt."""

    guided_share: float = 1.0
    """Share of the steps, from the noisiest on, that are guided; the others follow the target
    prompt alone, in half the passes. Less than 1 is no longer Algorithm 1: guidance late in the
    denoising changes little of what a clip shows (Kynkäänniemi et al. 2024)."""

    lam: float = 0.01
    """λ of Eq. 5, the step along the gradient. 0: no matching at all, plain DDIM inversion."""

    matched_share: float = 1.0
    """Share of the steps, from the noisiest on, that descend Eq. 5; the others only denoise. Less
    than 1 is no longer Algorithm 1, but takes less time: what lies where is decided early."""

    objective: Literal["str", "concatenated_maps"] = "str"
    """What is matched: the STR score by cosine, or the ablation's concatenated maps by L2."""

    radius: int = 1
    """How many frames away a neighbour in N(i) of Eq. 4 may be. (Open in the paper.)"""

    heads: Literal["mean", "paired"] = "mean"
    """Average the attention heads before the score, or score head by head. (Open.)"""

    temporal_attention: Literal["first", "second", "mean"] = "first"
    """Which attention over the frames is T, in backbones that have two in a block (Zeroscope,
    AnimateDiff; LaVie has the first alone). The first, like LaVie's, compares frames before any has
    been mixed with others in its block. (Open.)"""

    cosine: Literal["row", "layer"] = "row"
    """One cosine for each row (frame, position) of the score, or one a layer. (Open.)"""

    reduction: Literal["sum", "mean"] = "sum"
    """How the terms of the loss are joined. (Open.)"""

    scored_levels: tuple[int, ...] | None = None
    """Resolutions whose attention is scored, 0 the finest. Null: all but the finest."""

    scored_halves: Literal["conditional", "both"] = "conditional"
    """Score the target prompt's half of the guidance batch, or both halves. (Open.)"""

    inversion_label: Literal["current", "next"] = "next"
    """Timestep label of an inversion step: the level it leaves (as Algorithm 1 prints it) or
    enters. (Open. With an exact denoiser of Gaussian data and LaVie's 50 steps, "next" brings
    the latents back within 0.2–7 %, "current" within 6–11 %.)"""

    noised_until: int = 0
    """Timestep up to which levels are reached by adding noise, the same for every clip, instead of
    inverting. Inverted flat regions stay flat far into the noise and hold on to their colour there
    (Staniszewski et al. 2024); noise breaks that, at a price in exactness. 0: Algorithm 1 as it
    is printed."""

    fresh_share: float = 0.0
    """How much of the noisiest latents is fresh noise, the same for every clip, where an edit
    begins: this share of their variance, and if it is above 0 all of their low frequencies, which
    hold on to the source's colours (see `strmatch.fresh_start`). 0: Algorithm 1, which begins at
    what the inversion left."""

    mask_dilation: int = 3
    """Side in latent pixels of the square that dilates the mask of Eq. 6, odd; 1: none."""

    @property
    def unmatched_steps(self) -> int:
        """How many steps, the last ones, only denoise: all of them where λ is 0."""
        return self._steps_after(self.matched_share if self.lam > 0 else 0.0)

    @property
    def unguided_steps(self) -> int:
        """How many steps, the last ones, follow the target prompt without guidance."""
        return self._steps_after(self.guided_share)

    def _steps_after(self, share: float) -> int:
        return self.num_inference_steps - round(share * self.num_inference_steps)

    def __post_init__(self) -> None:
        if self.num_inference_steps < 1:
            raise ValueError(f"num_inference_steps must be ≥ 1, got {self.num_inference_steps}")
        if self.lam < 0:
            raise ValueError(f"lam must be ≥ 0, got {self.lam}")
        for name in ("guided_share", "matched_share", "fresh_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be from 0 to 1, got {getattr(self, name)}")
        if self.radius < 1:
            raise ValueError(f"radius must be ≥ 1, got {self.radius}")
        if self.noised_until < 0:
            raise ValueError(f"noised_until must be ≥ 0, got {self.noised_until}")
        if self.mask_dilation < 1 or self.mask_dilation % 2 == 0:
            raise ValueError(f"mask_dilation must be odd and ≥ 1, got {self.mask_dilation}")
        if self.scored_levels is not None and not self.scored_levels:
            raise ValueError("scored_levels must name at least one level")
