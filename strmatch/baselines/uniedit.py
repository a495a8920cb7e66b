"""UniEdit (Bai et al. 2024, arXiv 2402.13185): appearance edits by injected attention."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from strmatch.backbones.base import UNetBackbone
from strmatch.baselines.base import invert
from strmatch.baselines.settings import UniEditSettings, settings_for
from strmatch.editor import EditResult, Inversion
from strmatch.finite import StepCheck
from strmatch.guidance import guided_prediction
from strmatch.masks import latent_mask
from strmatch.regions import Region, as_regions, union_mask
from strmatch.sampling.fusion import clip_windows, fuse, of_window
from strmatch.sampling.windows import Window
from strmatch.validation import checks_arguments


class UniEdit:
    """Edits the appearance of a clip alongside a reconstruction of the clip.

    As published for appearance edits, the clip is inverted under the empty prompt and both branches
    start from the noisiest latents. In the first steps, the spatial self-attention of all layers
    takes queries and keys from the reconstruction and, with a mask, also the values outside the
    mask. The motion branch is omitted, as published for this kind of edit.

    Departures from the publication:

    * The reconstruction consists of the latents of the inversion, level by level, as proposed by Ju
      et al. (2024, arXiv 2310.01506), not of null-text embeddings optimised per step (Mokady et al.
      2023). The unconditional prompt is therefore the negative prompt itself.
    * Masks are resized to a layer by max-pooling, not by nearest neighbour, to preserve thin
      subjects.

    Args:
        backbone: see `strmatch.load_backbone`.
        settings: default: the published values, and the backbone's for `BACKBONE_FIELDS`.

    Raises:
        TypeError: an argument has the wrong type.
    """

    @checks_arguments
    def __init__(self, backbone: UNetBackbone, settings: UniEditSettings | None = None) -> None:
        self.backbone = backbone
        self.settings = settings or settings_for(UniEditSettings, backbone.settings)

    @checks_arguments
    def invert(self, frames: np.ndarray, source_prompt: str) -> Inversion:
        """DDIM inversion of the clip under the empty prompt.

        Args:
            frames: uint8 (f, H, W, 3), RGB.
            source_prompt: ignored, as published.

        Raises:
            TypeError: an argument has the wrong type.
            ValueError: the frames have the wrong shape or dtype, or a size that the backbone does
                not support.
            NotFinite: the latents of a step are NaN or infinite.
        """
        return invert(self.backbone, frames, "", self.settings)

    @checks_arguments
    @torch.no_grad()
    def edit(
        self,
        inversion: Inversion,
        target_prompt: str | Sequence[Region],
        *,
        mask: np.ndarray | None = None,
        joint_prompt: str | None = None,
    ) -> EditResult:
        """Denoise towards the target prompt with injected attention of the source.

        Of regions, the joint prompt guides the union of the masks.

        Args:
            inversion: result of `invert`.
            target_prompt: description of the edited clip, or regions with a description each.
            mask: bool (f, H, W), True where editing is allowed. None allows it everywhere.
            joint_prompt: description of the whole clip after the edit of all regions. None: the
                different target prompts of the regions, joined by "and".

        Raises:
            TypeError: an argument has the wrong type.
            ValueError: a mask does not match the clip's frames and size, there are no regions, or
                a mask or joint prompt does not belong to the form of the edit.
            NotFinite: the latents of a step or the decoded frames are NaN or infinite.
        """
        settings, backbone, schedule = self.settings, self.backbone, inversion.schedule
        z_source = inversion.latents
        regions, joint_prompt = as_regions(target_prompt, mask, joint_prompt)
        pixels = union_mask(regions, backbone, z_source[0])
        source = backbone.embed(inversion.source_prompt)
        unconditional = backbone.embed(settings.negative_prompt)
        target = backbone.embed(joint_prompt)
        share = settings.injected_share
        if share is None:
            share = 0.4 if pixels is None else 0.5
        injected_steps = round(share * schedule.num_steps)
        windows = clip_windows(z_source[0], backbone, settings)
        texts = torch.cat([source, unconditional, target])

        z, check = z_source[-1], StepCheck("denoising")
        for step, noise_level in enumerate(range(schedule.num_steps, 0, -1)):
            t, scale = schedule.timesteps[noise_level], settings.guidance_scale
            if step < injected_steps:
                three = torch.cat([z_source[noise_level], z, z])
                parts = (self._injected(three, t, texts, pixels, window) for window in windows)
                epsilon = fuse(windows, parts)
            else:
                epsilon = guided_prediction(backbone, z, t, unconditional, target, scale, windows)
            z = schedule.step(z, epsilon, noise_level, noise_level - 1)
            check.record(step, t, latents=z)
        check.finish()
        return EditResult(backbone.decode(z), z, settings)

    def _injected(
        self, latents: Tensor, timestep: float, texts: Tensor, mask: Tensor | None, window: Window
    ) -> Tensor:
        """Guided noise (1, c, l, h, w) of a window, with the injected attention of the source.

        Args:
            latents: (3, c, f, h, w), the source and twice the edit.
            timestep: timestep label of the noise level.
            texts: (3, tokens, d), source, unconditional and target prompt.
            mask: bool (f, H, W), or None.
            window: l frames of the clip.
        """
        part = of_window(latents, window)
        frames, height, width = part.shape[-3:]
        mask = None if mask is None else mask[window.frames]
        with self.backbone.exchange_spatial(Injection(mask, (frames, height, width))):
            epsilons = self.backbone.predict(part, timestep, texts)
        _, epsilon_u, epsilon_c = epsilons.chunk(3)
        return epsilon_u + self.settings.guidance_scale * (epsilon_c - epsilon_u)


class Injection:
    """A `SpatialExchange` that replaces the queries and keys of a batch by those of its first clip.

    Args:
        mask: bool (f, H, W). Outside the mask, the values are replaced as well. None keeps all
            values.
        size: f, h and w of the latents.
    """

    def __init__(self, mask: Tensor | None, size: tuple[int, int, int]) -> None:
        self.mask = mask
        self.frames, self.height, self.width = size

    def __call__(
        self, level: int, query: Tensor, key: Tensor, value: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        query, key = self._of_first(query), self._of_first(key)
        if self.mask is not None:
            clips = len(value) // self.frames
            editable = self._editable(self.mask, level).repeat(clips, 1, 1, 1)
            value = torch.where(editable, value, self._of_first(value))
        return query, key, value

    def _of_first(self, x: Tensor) -> Tensor:
        """Repeat the first clip of x (b·f, …) for the whole batch."""
        return x[: self.frames].repeat(len(x) // self.frames, 1, 1, 1)

    def _editable(self, mask: Tensor, level: int) -> Tensor:
        """The mask at the given UNet resolution, bool (f, 1, h·w, 1)."""
        height, width = (-(-side // 2**level) for side in (self.height, self.width))
        return latent_mask(mask, height, width, dilation=1)[0, 0].flatten(1)[:, None, :, None]
