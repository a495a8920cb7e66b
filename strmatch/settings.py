"""The settings of an edit. Every field changes the result."""

from dataclasses import dataclass, field
from typing import Any, Literal

from strmatch.validation import check_fields, check_minimum, check_shares


def _expert(default: Any) -> Any:
    """A field that presets fix and few users change."""
    return field(default=default, metadata={"expert": True})


@dataclass(frozen=True, kw_only=True)
class EditSettings:
    """Settings of Algorithm 1. The defaults are the paper's values where the paper states one.

    "Open" marks a choice that the paper does not state. A preset may fix it for its backbone.
    "Departs" marks a default other than what Algorithm 1 prints. docs/models.md lists both.

    Raises:
        TypeError: a value has the wrong type.
        ValueError: a value is out of range, not finite, or not one of the choices.
    """

    num_inference_steps: int = 50
    """Number of DDIM steps of the inversion, and of the denoising."""

    guidance_scale: float = 7.5
    """Scale of classifier-free guidance towards the target prompt. 1 disables."""

    negative_prompt: str | None = None
    """Prompt of the unconditional pass. Null: the source prompt."""

    guided_share: float = _expert(1.0)
    """Share of the steps that are guided, 0–1, beginning with the noisiest. The remaining steps
    follow the target prompt alone, in half the passes. Algorithm 1: 1. Guidance late in the
    denoising changes little of what a clip shows (Kynkäänniemi et al. 2024)."""

    lam: float = 0.01
    """Step size λ of Eq. 5, along the gradient of the matching loss. 0 disables matching, which
    leaves plain DDIM inversion. The paper's values are 0.01, and 0.08 for the ablation
    concatenated_maps. The scale of the gradient depends on `cosine`, `reduction` and `heads`, and
    with another choice λ must change by the inverse factor."""

    matched_share: float = _expert(1.0)
    """Share of the steps that descend Eq. 5, 0–1, beginning with the noisiest. The remaining steps
    only denoise, which takes less time. Algorithm 1: 1."""

    objective: Literal["str", "concatenated_maps"] = _expert("str")
    """What is matched. str: the STR score, by cosine. concatenated_maps: the attention maps, by the
    sum of squares (the paper's ablation, with `lam` 0.08). At LaVie's size the step λ·|∇L| is 0.205
    for str with λ 0.01, and 0.081 for concatenated_maps with λ 0.08 (0.010 with λ 0.01)."""

    radius: int = _expert(1)
    """Maximum distance of a neighbour in N(i) of Eq. 4, frames. Open."""

    heads: Literal["mean", "paired", "separated"] = _expert("mean")
    """mean: average the attention heads before the score. paired: score each head. Open. separated,
    with joint attention: S is the mean of the spatial heads and T that of the temporal heads, see
    `strmatch.backbones.joint.heads`."""

    slices: Literal["renormalised", "joint", "direct"] = _expert("renormalised")
    """What is taken from a joint attention over space and time. renormalised: slices S and T with
    rows that sum to 1, as in factorised attention. joint: the slices with their share of the joint
    map. direct: the relevance of adjacent frames itself, in place of the score. Not in the paper,
    whose models are factorised."""

    temporal_neighbourhood: int = _expert(1)
    """Side of the square of positions that T of a joint attention sums over in the other frames,
    odd. 1: the same position alone, as the paper."""

    temporal_attention: Literal["first", "second", "mean"] = _expert("first")
    """Which attention over the frames is T, in backbones with two in a block (Zeroscope,
    AnimateDiff). LaVie has only the first, which compares frames before other frames are mixed in.
    Open."""

    cosine: Literal["row", "layer", "all"] = _expert("row")
    """row: one cosine per row (frame, position) of each layer's score. layer: one per layer. all:
    one over the scores of all layers together. Eq. 5 prints a single cosine. Open. With the sum
    over LaVie's 64,640 rows, the gradient is 4,826 times that of one cosine per layer (measured
    with random weights): at λ 0.01 the step λ·|∇L| is 0.205 and 4e-5, of latents with norm 400."""

    reduction: Literal["sum", "mean"] = _expert("sum")
    """How the terms of the loss are combined. Open. mean divides the gradient by the number of
    terms. At LaVie's size and λ 0.01 the step λ·|∇L| is then 3e-6 for cosine row, 4e-6 for cosine
    layer and 2e-10 for concatenated_maps. No effect on cosine all, which has one term."""

    scored_levels: tuple[int, ...] | None = _expert(None)
    """Resolutions of the UNet whose attention is scored, 0 being the finest, or blocks of a
    transformer, 0 being the first. Null: all resolutions but the finest, or the middle third of the
    blocks."""

    scored_halves: Literal["conditional", "both"] = _expert("conditional")
    """Score only the target prompt's half of the guidance batch, or both halves. Open: Algorithm 1
    passes both prompts to the network that gives the score."""

    inversion_label: Literal["current", "next"] = _expert("next")
    """Timestep label of an inversion step. current: the level that the step leaves, as Algorithm 1
    prints it. next: the level that the step enters. Departs. With an exact denoiser of Gaussian
    data and LaVie's 50 steps, "next" restores the latents within 0.2–7 %, "current" within
    6–11 %."""

    inversion_refinements: int = _expert(0)
    """Number of further predictions of an inversion step, which refine it by fixed-point iteration.
    Needs `inversion_label` next. Each takes as many passes as the inversion. With the exact model
    of a mixture of Gaussians and 50 steps, the median error of a reconstruction is 1 to 4 % with 0
    and 0.06 to 0.3 % with 1. A few latents between two Gaussians change sides with fewer than 3, so
    that the error of all together falls from 7 to 11 % to 0.3 %. Algorithm 1: 0."""

    noised_until: int = _expert(0)
    """Timestep up to which levels are reached by adding noise, equal for all clips, instead of by
    inversion. Inverted flat regions stay flat and keep their colour (Staniszewski et al. 2024).
    Noise removes this effect and makes the reconstruction less exact. Algorithm 1: 0."""

    fresh_share: float = _expert(0.0)
    """Share of the variance of the noisiest latents that is replaced by fresh noise, 0–1, equal for
    all clips. Above 0, all low frequencies are replaced, which carry the colours of the source (see
    `strmatch.sampling.fresh_start`). Algorithm 1: 0, which starts from the inverted latents."""

    mask_dilation: int = 3
    """Side of the square that dilates the mask of Eq. 6, latent pixels. Odd. 1 disables. Open."""

    window_stride: int | None = _expert(None)
    """Frames from one window to the next, in clips that are longer than the frames that the model
    was trained on. Null: half a window. Smaller strides take more time. Models that compress time
    take multiples of the frames of a latent frame. The paper has no windows. See
    `strmatch.sampling.windows`."""

    window_weights: Literal["triangular", "hann", "uniform"] = _expert("triangular")
    """Weight of a frame by its place in a window, where windows overlap: triangular, hann, or
    uniform. See `strmatch.sampling.windows`."""

    @property
    def unmatched_steps(self) -> int:
        """Number of final steps that only denoise. All steps if λ is 0."""
        return self._steps_after(self.matched_share if self.lam > 0 else 0.0)

    @property
    def unguided_steps(self) -> int:
        """Number of final steps that follow the target prompt without guidance."""
        return self._steps_after(self.guided_share)

    def _steps_after(self, share: float) -> int:
        return self.num_inference_steps - round(share * self.num_inference_steps)

    def __post_init__(self) -> None:
        check_fields(self)
        check_minimum(1, num_inference_steps=self.num_inference_steps, radius=self.radius)
        check_minimum(0, lam=self.lam, noised_until=self.noised_until)
        check_refinements(self.inversion_refinements, self.inversion_label)
        check_stride(self.window_stride)
        check_shares(
            guided_share=self.guided_share,
            matched_share=self.matched_share,
            fresh_share=self.fresh_share,
        )
        check_dilation(self.mask_dilation)
        self._check_slices()
        levels = self.scored_levels
        if levels is not None and not levels:
            raise ValueError("scored_levels must name at least one level")
        if levels and (min(levels) < 0 or len(levels) > len({*levels})):
            raise ValueError(f"scored_levels must be different and ≥ 0, got {levels}")

    def _check_slices(self) -> None:
        side = self.temporal_neighbourhood
        if side < 1 or side % 2 == 0:
            raise ValueError(f"temporal_neighbourhood must be odd and ≥ 1, got {side}")
        if self.slices == "direct" and (
            side > 1 or self.heads == "separated" or self.objective == "concatenated_maps"
        ):
            raise ValueError(
                "slices 'direct' has no S and T: use temporal_neighbourhood 1, heads 'mean' or "
                "'paired', and objective 'str'"
            )


def check_refinements(refinements: int, label: str) -> None:
    """Check the number of refinements of an inversion step.

    Raises:
        ValueError: the number is negative, or the inversion's label is not "next".
    """
    check_minimum(0, inversion_refinements=refinements)
    if refinements and label != "next":
        raise ValueError(
            f"inversion_refinements {refinements} needs inversion_label 'next', got {label!r}"
        )


def check_stride(window_stride: int | None) -> None:
    """Check the number of frames from one window to the next.

    Raises:
        ValueError: the number is smaller than 1.
    """
    if window_stride is not None:
        check_minimum(1, window_stride=window_stride)


def check_dilation(mask_dilation: int) -> None:
    """Check the side of the square that dilates a mask.

    Raises:
        ValueError: the side is even or smaller than 1.
    """
    if mask_dilation < 1 or mask_dilation % 2 == 0:
        raise ValueError(f"mask_dilation must be odd and ≥ 1, got {mask_dilation}")
