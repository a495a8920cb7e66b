"""Settings of the baselines. Imports no torch, so that settings are checked within a second."""

from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, TypeVar

from strmatch.sampling.windows import Weights
from strmatch.settings import EditSettings, check_dilation, check_refinements, check_stride
from strmatch.validation import check_fields, check_minimum, check_shares

BACKBONE_FIELDS = (
    *("num_inference_steps", "guidance_scale", "inversion_label", "noised_until"),
    *("inversion_refinements", "mask_dilation", "window_stride", "window_weights"),
)
"""Fields whose best values depend on the backbone, not the method. Each has the same meaning in
`EditSettings`."""


@dataclass(frozen=True, kw_only=True)
class SamplingSettings:
    """Settings of DDIM sampling.

    Raises:
        TypeError: a value has the wrong type.
        ValueError: a value is out of range, not finite, or not one of the choices.
    """

    published_fields: ClassVar[tuple[str, ...]] = ()
    """Members of `BACKBONE_FIELDS` for which the method's publication gives a value."""

    num_inference_steps: int = 50
    """Number of DDIM steps from noise to clip."""

    guidance_scale: float = 7.5
    """Scale of the classifier-free guidance towards the target prompt. 1 disables."""

    negative_prompt: str = ""
    """Prompt of the unconditional half of the guidance."""

    window_stride: int | None = None
    """Frames from one window to the next, in clips that are longer than the frames that the model
    was trained on. Null: half a window."""

    window_weights: Weights = "triangular"
    """Weight of a frame by its place in a window, where windows overlap: triangular, hann, or
    uniform."""

    def __post_init__(self) -> None:
        check_fields(self)
        check_minimum(1, num_inference_steps=self.num_inference_steps)
        check_stride(self.window_stride)


@dataclass(frozen=True, kw_only=True)
class InversionSettings(SamplingSettings):
    """Settings of a method that starts from a DDIM inversion.

    Raises:
        TypeError: a value has the wrong type.
        ValueError: a value is out of range, not finite, or not one of the choices.
    """

    inversion_label: Literal["current", "next"] = "next"
    """Timestep passed to the UNet in an inversion step: that of the noise level the step leaves
    ("current") or enters ("next")."""

    inversion_refinements: int = 0
    """Number of further predictions of an inversion step, which refine it by fixed-point
    iteration. Needs the label "next"."""

    noised_until: int = 0
    """Timestep up to which noise levels are reached by adding noise instead of by inversion. 0
    disables."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_minimum(0, noised_until=self.noised_until)
        check_refinements(self.inversion_refinements, self.inversion_label)


@dataclass(frozen=True, kw_only=True)
class SDEditSettings(SamplingSettings):
    """Settings of SDEdit.

    Raises:
        TypeError: a value has the wrong type.
        ValueError: a value is out of range, not finite, or not one of the choices.
    """

    strength: float = 0.6
    """Share of the steps that are denoised, which sets the initial noise level: 0 returns the clip
    itself, 1 starts at the noisiest level. The paper recommends 0.3 to 0.6 for images."""

    mask_dilation: int = 3
    """Side in latent pixels of the square that dilates the mask. Odd. 1 disables."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_shares(strength=self.strength)
        check_dilation(self.mask_dilation)


@dataclass(frozen=True, kw_only=True)
class FlowEditSettings(SamplingSettings):
    """Settings of FlowEdit, with the published defaults for Stable Diffusion 3.

    Raises:
        TypeError: a value has the wrong type.
        ValueError: a value is out of range, not finite, or not one of the choices.
    """

    published_fields: ClassVar[tuple[str, ...]] = ("guidance_scale",)

    guidance_scale: float = 13.5
    """Scale of the classifier-free guidance towards the target prompt. 1 disables."""

    source_guidance_scale: float = 3.5
    """Scale of the classifier-free guidance towards the source prompt. 1 disables."""

    start_share: float = 0.66
    """Share of the steps that are taken, which sets the noise level of the first: 0 returns the
    clip itself, 1 starts at the noisiest level. Published as n_max, 33 of 50 steps."""

    averages: int = 1
    """Number of noises per step, over which the difference of the predictions is averaged."""

    mask_dilation: int = 3
    """Side in latent pixels of the square that dilates the mask. Odd. 1 disables."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_minimum(1, averages=self.averages)
        check_shares(start_share=self.start_share)
        check_dilation(self.mask_dilation)


@dataclass(frozen=True, kw_only=True)
class DMTSettings(InversionSettings):
    """Settings of DMT, with the defaults of the published configuration.

    Raises:
        TypeError: a value has the wrong type.
        ValueError: a value is out of range, not finite, or not one of the choices.
    """

    published_fields: ClassVar[tuple[str, ...]] = ("guidance_scale",)

    guidance_scale: float = 10.0
    """Scale of the classifier-free guidance towards the target prompt. 1 disables."""

    negative_prompt: str = (
        "bad quality, distortions, unrealistic, distorted image, watermark, signature"
    )
    """Prompt of the unconditional half of the guidance."""

    lr: float = 0.007
    """Adam's learning rate at the noisiest step, which is about the change of each latent (standard
    deviation 1) per iteration. The default was published for 50 steps, of which 20 are optimised.
    Fewer steps need a proportionally larger rate for the same total change."""

    lr_decay: float = 4 / 7
    """Ratio of the last optimised step's learning rate to the first's. The decay is linear."""

    optimised_share: float = 0.4
    """Share of the steps, noisiest first, that are optimised, 0 to 1."""

    iterations: int = 10
    """Adam iterations per optimised step."""

    low_frequencies: int = 4
    """Downsampling factor that defines the low frequencies of the inverted latents. The initial
    latents keep these frequencies and take all others from fresh noise. 1 keeps all frequencies."""

    restart: bool = True
    """Adds the noise of each step again and repeats the denoising step, except in the last step."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_minimum(0, lr=self.lr, lr_decay=self.lr_decay, iterations=self.iterations)
        check_minimum(1, low_frequencies=self.low_frequencies)
        check_shares(optimised_share=self.optimised_share)


@dataclass(frozen=True, kw_only=True)
class UniEditSettings(InversionSettings):
    """Settings of UniEdit.

    Raises:
        TypeError: a value has the wrong type.
        ValueError: a value is out of range, not finite, or not one of the choices.
    """

    injected_share: float | None = None
    """Share of the steps, noisiest first, in which the attention of the source is injected, 0 to 1.
    Null uses the published values: 0.5 with a mask, 0.4 without."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.injected_share is not None:
            check_shares(injected_share=self.injected_share)


AnySettings = TypeVar("AnySettings", bound=SamplingSettings)


def shared_settings(kind: type[SamplingSettings], edit: EditSettings) -> dict[str, Any]:
    """Values of `edit` for the fields of a baseline's settings class that the backbone determines.

    Args:
        kind: settings class of the baseline.
        edit: edit settings of the backbone.
    """
    known = {field.name for field in fields(kind)} - set(kind.published_fields)
    return {name: getattr(edit, name) for name in BACKBONE_FIELDS if name in known}


def settings_for(kind: type[AnySettings], edit: EditSettings, **options: Any) -> AnySettings:
    """Settings of a baseline on a backbone.

    Each field takes its value from `options`, else from `shared_settings`, else from the defaults
    of `kind`.

    Raises:
        TypeError: a value has the wrong type, or an option does not exist.
        ValueError: a value is out of range, not finite, or not one of the choices.
    """
    return kind(**shared_settings(kind, edit) | options)
