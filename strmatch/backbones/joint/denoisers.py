"""The video transformers of Wan and CogVideoX in diffusers, called in one way."""

from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor, nn

from strmatch.backbones.joint.slices import Grid


class Denoiser(Protocol):
    """A transformer with one joint attention `attn1` a block."""

    transformer: Any
    """The model of diffusers."""

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """The blocks in the order of execution."""
        ...

    @property
    def patch(self) -> int:
        """Side of a token, latent pixels."""
        ...

    @property
    def text_width(self) -> int:
        """Channels of the text conditions."""
        ...

    def __call__(self, latents: Tensor, timesteps: Tensor, embeddings: Tensor) -> Tensor:
        """The model's prediction (b, c, f, h, w).

        Args:
            latents: (b, c, f, h, w).
            timesteps: (b,).
            embeddings: (b, tokens, d).
        """
        ...

    def grid(self, latents: Tensor, embeddings: Tensor) -> Grid:
        """The tokens of the attention for latents and embeddings."""
        ...


class WanDenoiser:
    """`WanTransformer3DModel`: the text has an attention of its own.

    Args:
        transformer: of a text-to-video model.

    Raises:
        ValueError: the model needs a first frame, or its tokens span several latent frames.
    """

    def __init__(self, transformer: Any) -> None:
        self.transformer = transformer
        config = transformer.config
        if config.image_dim is not None or config.in_channels != config.out_channels:
            raise ValueError("the transformer continues images: only text-to-video models fit")
        length, height, width = config.patch_size
        if length != 1 or height != width:
            raise ValueError(f"patch_size must be (1, p, p), got {tuple(config.patch_size)}")

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """See `Denoiser.blocks`."""
        return list(self.transformer.blocks)

    @property
    def patch(self) -> int:
        """See `Denoiser.patch`."""
        return int(self.transformer.config.patch_size[1])

    @property
    def text_width(self) -> int:
        """See `Denoiser.text_width`."""
        return int(self.transformer.config.text_dim)

    def __call__(self, latents: Tensor, timesteps: Tensor, embeddings: Tensor) -> Tensor:
        """See `Denoiser.__call__`."""
        output: Tensor = self.transformer(latents, timesteps, embeddings, return_dict=False)[0]
        return output

    def grid(self, latents: Tensor, embeddings: Tensor) -> Grid:
        """See `Denoiser.grid`."""
        frames, height, width = latents.shape[2:]
        return Grid(frames, height // self.patch, width // self.patch)


class CogVideoXDenoiser:
    """`CogVideoXTransformer3DModel`: text and clip attend together.

    Args:
        transformer: of a text-to-video model, CogVideoX 1.0.

    Raises:
        ValueError: the model needs a first frame, or is of version 1.5.
    """

    def __init__(self, transformer: Any) -> None:
        self.transformer = transformer
        config = transformer.config
        if config.ofs_embed_dim or config.in_channels != config.out_channels:
            raise ValueError("the transformer continues images: only text-to-video models fit")
        if config.patch_size_t is not None:
            raise ValueError("patch_size_t must be null: CogVideoX 1.5 is not supported")

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """See `Denoiser.blocks`."""
        return list(self.transformer.transformer_blocks)

    @property
    def patch(self) -> int:
        """See `Denoiser.patch`."""
        return int(self.transformer.config.patch_size)

    @property
    def text_width(self) -> int:
        """See `Denoiser.text_width`."""
        return int(self.transformer.config.text_embed_dim)

    def __call__(self, latents: Tensor, timesteps: Tensor, embeddings: Tensor) -> Tensor:
        """See `Denoiser.__call__`."""
        output: Tensor = self.transformer(
            latents.transpose(1, 2),
            embeddings,
            timesteps,
            image_rotary_emb=self._rotary(latents),
            return_dict=False,
        )[0]
        return output.transpose(1, 2)

    def grid(self, latents: Tensor, embeddings: Tensor) -> Grid:
        """See `Denoiser.grid`."""
        frames, height, width = latents.shape[2:]
        patch = self.patch
        return Grid(frames, height // patch, width // patch, text=embeddings.shape[1])

    def _rotary(self, latents: Tensor) -> tuple[Tensor, Tensor] | None:
        """Rotary positions of the clip's tokens, scaled to the size of training.

        As in the pipeline of diffusers: the grid of training is cropped to the clip's aspect.
        """
        config = self.transformer.config
        if not config.use_rotary_positional_embeddings:
            return None
        from diffusers.models.embeddings import get_3d_rotary_pos_embed

        grid = self.grid(latents, latents)
        base = config.sample_height // self.patch, config.sample_width // self.patch
        cosines, sines = get_3d_rotary_pos_embed(
            embed_dim=config.attention_head_dim,
            crops_coords=_crop((grid.height, grid.width), base),
            grid_size=(grid.height, grid.width),
            temporal_size=grid.frames,
            device=latents.device,
        )
        return cosines, sines


def _crop(size: tuple[int, int], base: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Start and stop of the largest centred part of `base` with the aspect of `size`."""
    (height, width), (base_height, base_width) = size, base
    if height / width > base_height / base_width:
        part = base_height, round(base_height / height * width)
    else:
        part = round(base_width / width * height), base_width
    top, left = round((base_height - part[0]) / 2), round((base_width - part[1]) / 2)
    return (top, left), (top + part[0], left + part[1])


DENOISERS: dict[str, Any] = {
    "WanTransformer3DModel": WanDenoiser,
    "CogVideoXTransformer3DModel": CogVideoXDenoiser,
}
"""Interfaces by the class in diffusers."""


def make_denoiser(transformer: Any) -> Denoiser:
    """The interface of a transformer of diffusers.

    Raises:
        ValueError: the transformer is of an unknown class or form.
    """
    name = type(transformer).__name__
    if name not in DENOISERS:
        raise ValueError(f"the transformer must be one of {', '.join(DENOISERS)}, got {name}")
    denoiser: Denoiser = DENOISERS[name](transformer)
    return denoiser
