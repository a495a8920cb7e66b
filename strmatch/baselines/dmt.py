"""DMT (Yatim et al. 2024, arXiv 2311.17009): motion transfer by space-time features."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from strmatch.backbones.base import UNetBackbone
from strmatch.baselines.base import invert
from strmatch.baselines.settings import DMTSettings, settings_for
from strmatch.editor import EditResult, Inversion
from strmatch.finite import StepCheck
from strmatch.gradient import scaled_gradient
from strmatch.guidance import guided_prediction
from strmatch.regions import Region, as_regions
from strmatch.sampling.fusion import clip_windows, fuse, of_window
from strmatch.sampling.windows import Window
from strmatch.validation import check_minimum, checks_arguments


class DMT:
    """Generates a clip of the target prompt with the frame-to-frame feature changes of the source.

    DMT regenerates the whole scene and supports no mask. Of regions, it takes the joint prompt.

    Departures from the publication:

    * The inversion has as many steps as the denoising (published: 999 steps) and uses the
      backbone's timestep label.
    * The denoising starts from the noisiest latents of the inversion. The authors' code takes the
      noise ε that the latents of timestep 999 imply, and adds it to the clean latents.
    * The latents of the clip are the mean of the autoencoder's posterior. The authors' code samples
      the posterior, independently for the inversion and the edit.
    * A restart adds noise by the exact forward kernel between two levels. The authors' code
      multiplies the single steps with their betas shifted by one, which changes the standard
      deviation of the noise by up to 0.27 % at 50 steps.
    * No quality phrase is prepended to the prompts.
    * The compared modules are the UNet's `space_time_modules`, which on Zeroscope are the published
      ones.
    * The backward pass has the scale of `scaled_gradient` in every precision. The authors' code
      scales the loss by 2^16 and skips a step that overflows.

    Args:
        backbone: see `strmatch.load_backbone`.
        settings: default: the published values, and the backbone's for `BACKBONE_FIELDS`.

    Raises:
        TypeError: an argument has the wrong type.
    """

    @checks_arguments
    def __init__(self, backbone: UNetBackbone, settings: DMTSettings | None = None) -> None:
        self.backbone = backbone
        self.settings = settings or settings_for(DMTSettings, backbone.settings)

    @checks_arguments
    def invert(self, frames: np.ndarray, source_prompt: str) -> Inversion:
        """DDIM inversion of the clip under its own prompt.

        Args:
            frames: uint8 (f, H, W, 3), RGB.
            source_prompt: description of the clip.

        Raises:
            TypeError: an argument has the wrong type.
            ValueError: the frames have the wrong shape or dtype, or a size that the backbone does
                not support.
            NotFinite: the latents of a step are NaN or infinite.
        """
        return invert(self.backbone, frames, source_prompt, self.settings)

    @checks_arguments
    @torch.no_grad()
    def edit(
        self,
        inversion: Inversion,
        target_prompt: str | Sequence[Region],
        *,
        mask: np.ndarray | None = None,
        joint_prompt: str | None = None,
        seed: int = 0,
    ) -> EditResult:
        """Denoise towards the target prompt, guided by the features of the source.

        Args:
            inversion: result of `invert`.
            target_prompt: description of the edited clip, or regions with a description each,
                whose masks are ignored.
            mask: must be None.
            joint_prompt: description of the whole clip after the edit of all regions. None: see
                `strmatch.regions.join_prompts`.
            seed: seed of all noise.

        Raises:
            TypeError: an argument has the wrong type.
            ValueError: a mask is given, there are no regions, the joint prompt does not belong to
                the form of the edit, or the seed is negative.
            NotFinite: the loss or latents of a step, or the decoded frames, are NaN or infinite.
        """
        if mask is not None:
            raise ValueError("DMT edits without a mask")
        check_minimum(0, seed=seed)
        settings, backbone, schedule = self.settings, self.backbone, inversion.schedule
        z_source = inversion.latents
        windows = clip_windows(z_source[0], backbone, settings)
        source = backbone.embed(inversion.source_prompt)
        _, joint_prompt = as_regions(target_prompt, None, joint_prompt, inversion.source_prompt)
        target = backbone.embed(joint_prompt)
        unconditional = backbone.embed(settings.negative_prompt)
        generator = torch.Generator().manual_seed(seed)

        def noise() -> Tensor:
            return torch.randn(z_source[0].shape, generator=generator).to(z_source)

        def denoise(z: Tensor, noise_level: int) -> Tensor:
            t, scale = schedule.timesteps[noise_level], settings.guidance_scale
            epsilon = guided_prediction(backbone, z, t, unconditional, target, scale, windows)
            return schedule.step(z, epsilon, noise_level, noise_level - 1)

        optimised = round(settings.optimised_share * schedule.num_steps)
        rates = np.linspace(settings.lr, settings.lr * settings.lr_decay, optimised)
        z = replace_high_frequencies(z_source[-1], noise(), settings.low_frequencies)
        check = StepCheck("denoising")
        for step, noise_level in enumerate(range(schedule.num_steps, 0, -1)):
            t = schedule.timesteps[noise_level]
            if step < optimised:
                parts = (of_window(z_source[noise_level], window) for window in windows)
                wanted = [backbone.averaged_features(part, t, source) for part in parts]
                z, losses = self.match(z, t, target, wanted, windows, rates[step])
                check.record(step, t, loss=losses, latents=z)
            z = denoise(z, noise_level)
            if settings.restart and noise_level > 1:
                z = denoise(schedule.renoised(z, noise(), noise_level), noise_level)
            check.record(step, t, latents=z)
        check.finish()
        return EditResult(backbone.decode(z), z, settings)

    def match(
        self,
        latents: Tensor,
        timestep: float,
        embedding: Tensor,
        wanted: Sequence[Sequence[Tensor]],
        windows: Sequence[Window],
        lr: float,
    ) -> tuple[Tensor, Tensor]:
        """Optimise the latents of one step by Adam, with the gradients of all windows fused.

        Args:
            latents: (1, c, f, h, w).
            timestep: timestep label of the noise level.
            embedding: (1, tokens, d), target prompt. Guidance is not applied.
            wanted: averaged features of the source by window, (l, c) per module.
            windows: windows of the clip.
            lr: learning rate of Adam.

        Returns:
            The optimised latents, and the loss (iterations,) before each iteration, summed over
            the windows.
        """
        z = latents.clone()
        adam = torch.optim.Adam([z], lr=lr)
        losses = latents.new_zeros(self.settings.iterations)
        for iteration in range(self.settings.iterations):
            results = [
                self.loss_and_gradient(of_window(z, window), timestep, embedding, features)
                for window, features in zip(windows, wanted, strict=True)
            ]
            losses[iteration] = torch.stack([loss for loss, _ in results]).sum()
            z.grad = fuse(windows, (gradient for _, gradient in results))
            adam.step()
        return z, losses

    def loss_and_gradient(
        self, latents: Tensor, timestep: float, embedding: Tensor, wanted: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Sum of `difference_loss` over the modules, and its gradient at `latents`, detached."""
        latents = latents.detach().requires_grad_()
        with torch.enable_grad():
            features = self.backbone.averaged_features(latents, timestep, embedding)
            leaves = [feature.detach().requires_grad_() for feature in features]
            pairs = zip(wanted, leaves, strict=True)
            loss = torch.stack([difference_loss(*pair) for pair in pairs]).sum()
            at_features = torch.autograd.grad(loss, leaves)
        return loss.detach(), scaled_gradient(features, at_features, latents)


def difference_loss(source: Tensor, target: Tensor) -> Tensor:
    """Mean over all frame pairs of 1 − cosine similarity of the feature changes between the frames.

    As in the publication, the f pairs of a frame with itself are included and contribute 1 each, so
    the minimum is 1 / f (for features that change identically).

    Args:
        source, target: averaged features (f, c) of one module.

    Returns:
        Scalar.
    """
    source_changes, target_changes = (x[None] - x[:, None] for x in (source, target))
    return 1 - torch.cosine_similarity(target_changes, source_changes, dim=-1).mean()


def replace_high_frequencies(latents: Tensor, noise: Tensor, factor: int) -> Tensor:
    """Low frequencies of `latents` plus high frequencies of `noise`, all (1, c, f, h, w)."""
    return _low_frequencies(latents, factor) + noise - _low_frequencies(noise, factor)


def _low_frequencies(latents: Tensor, factor: int) -> Tensor:
    """Each frame downsampled by `factor` and upsampled again, with antialiasing."""
    frames = latents[0].transpose(0, 1)
    height, width = frames.shape[-2:]
    for size in ((height // factor, width // factor), (height, width)):
        frames = F.interpolate(
            frames, size=size, mode="bilinear", align_corners=True, antialias=True
        )
    return frames.transpose(0, 1)[None]
