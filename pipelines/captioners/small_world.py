"""Captions of clips of the small world, by the embedded models."""

from collections.abc import Sequence
from itertools import product
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from pipelines.captioners.small_world_looks import has_background, has_colour
from pipelines.errors import Rejected
from pipelines.media.foreground import find_objects, without
from pipelines.media.frames import frame_positions
from pipelines.media.objects import separate_objects
from strmatch.backbones.folder import weights_folder
from strmatch.inputs import to_unit_range
from strmatch.metrics.clip import copies, load_clip
from strmatch.miniature.long_scenes import MOTION_FRAMES
from strmatch.miniature.recognition.subject import shape_overlaps
from strmatch.miniature.recognition.tracks import name_motion
from strmatch.miniature.scenes import WORLD_SIZE, Scene, Sprite, caption
from strmatch.miniature.vocabulary import BACKGROUNDS, COLOURS, SHAPES

PATIENCE = "name another annotate.captioner (transformers_vlm, openai), or give captions"
FAITHFUL = 20.0
"""Least PSNR of the autoencoder's round trip, dB. Clips of the small world have 22 or more, others
about 16."""
LEAST_FIT = 0.82
"""Minimum intersection over union of an outline and a shape of the small world, in most frames. On
the dev list, 98 % of single figures have 0.85 or more, and figures that an edit left between two
shapes up to 0.82."""
STEADY = 0.65
"""Minimum share of frames in which that shape fits best."""


class Look(NamedTuple):
    """The look of one figure, and what is behind it."""

    shape: str
    colour: str
    background: str


class SmallWorldCaptioner:
    """Names the figures of a clip, their motions and the background.

    For each object that `contrast` finds, the outline gives the shape, the path gives the motion,
    and the embedded CLIP gives colour and background. A clip that the embedded autoencoder cannot
    reproduce is outside the small world and gets no caption, and neither does a clip with a figure
    or a background that no word of the small world describes.

    A longer clip is described by its looks in evenly spaced frames and by its first motion, which
    takes 16 frames. Memory and time do not grow with the clip.
    """

    def __init__(self) -> None:
        folder = weights_folder("miniature")
        precise: dict[str, Any] = {"torch_dtype": torch.float32, "local_files_only": True}
        self.vae = AutoencoderKL.from_pretrained(folder / "vae", **precise).eval()
        self.clip = load_clip(folder / "clip", "cpu")
        self.looks = [Look(*names) for names in product(SHAPES, COLOURS, BACKGROUNDS)]
        self.said = self.clip.prompts([caption_of([(look, None)]) for look in self.looks])

    def __call__(self, frames: np.ndarray) -> str:
        """Caption frames, uint8 (f, H, W, 3). The largest figure comes first.

        Raises:
            Rejected: `NotOfTheWorld`, the clip is not one of the small world.
        """
        fidelity = self._fidelity(frames)
        if fidelity < FAITHFUL:
            raise Rejected(
                "NotOfTheWorld",
                f"the embedded captioner knows the small world only, and this is not of it "
                f"({fidelity:.0f} dB after its autoencoder): {PATIENCE}",
            )
        spread = frame_positions(len(frames), MOTION_FRAMES)
        used = sorted({*range(min(len(frames), MOTION_FRAMES)), *spread})
        looked = np.isin(used, spread)
        objects = separate_objects(frames[used])
        if len(objects) < 2:
            objects = find_objects(frames[used])
        motions = [name_motion_of(mask[:MOTION_FRAMES]) for mask in objects]
        frames, objects = frames[used][looked], objects[:, looked]
        if not len(objects):
            raise Rejected("NotOfTheWorld", f"the embedded captioner sees no figure: {PATIENCE}")
        small, things = resized(frames), []
        for index, mask in enumerate(objects):
            shape, motion = name_shape(mask), motions[index]
            if shape is None or motion is None:
                raise Rejected(
                    "NotOfTheWorld",
                    f"a figure {'moves in a way' if shape else 'has a shape'} that has no name: "
                    f"{PATIENCE}",
                )
            others = np.any(np.delete(objects, index, axis=0), axis=0, keepdims=False)
            look = self._look(without(frames, others), shape)
            if not has_colour(small, reduced(mask), look.colour):
                raise Rejected(
                    "NotOfTheWorld", f"a figure has a colour that has no name: {PATIENCE}"
                )
            things.append((look, motion))
        figures = reduced(np.any(objects, axis=0, keepdims=False))
        behind = (look.background for look, _ in things)
        background = next((each for each in behind if has_background(small, figures, each)), None)
        if background is None:
            raise Rejected("NotOfTheWorld", f"the background has no name: {PATIENCE}")
        return caption_of([(look._replace(background=background), way) for look, way in things])

    def _look(self, frames: np.ndarray, shape: str) -> Look:
        """The most similar look of this shape, averaged over mirrored and shifted frames."""
        seen = self.clip.frames(resized(copies(frames)))
        likeness = (seen @ self.said.T).mean(dim=0)
        fitting = [index for index, look in enumerate(self.looks) if look.shape == shape]
        return self.looks[max(fitting, key=lambda index: float(likeness[index]))]

    def _fidelity(self, frames: np.ndarray) -> float:
        """PSNR of the autoencoder's round trip over the first, middle and last frame, dB."""
        pixels = _pixels(frames[[0, len(frames) // 2, -1]])
        with torch.no_grad():
            shown = self.vae.decode(self.vae.encode(pixels).latent_dist.mean).sample
        error = (shown.clamp(-1, 1) - pixels).square().mean()
        return float(10 * torch.log10(4 / error))


def caption_of(things: Sequence[tuple[Look, str | None]]) -> str:
    """The caption of looks and their motions, in the wording of the small world.

    Args:
        things: looks with their motions; the motion is left out where all are None.
    """
    sprites = tuple(
        Sprite(look.shape, look.colour, motion or "still", 18.0, (32.0, 32.0), 0.0)
        for look, motion in things
    )
    unsaid = () if all(motion for _, motion in things) else ("motion",)
    return caption(Scene(sprites, things[0][0].background), unsaid)


def name_motion_of(mask: np.ndarray) -> str | None:
    """The name of the motion of a mask, bool (f, H, W); None if the motion has no name."""
    areas = mask.sum(axis=(1, 2))
    sizes = np.where(areas > 0, np.sqrt(areas), np.nan).astype(np.float32)
    return name_motion(middles_of(mask), torch.from_numpy(sizes))


def name_shape(mask: np.ndarray) -> str | None:
    """The shape of the outline of a mask, bool (f, H, W); None if no shape fits most frames.

    Frames in which the mask touches the border count only if there are no others.
    """
    rim = np.pad(np.zeros_like(mask[0, 1:-1, 1:-1]), 1, constant_values=True)
    present, cut = mask.any(axis=(1, 2)), (mask & rim).any(axis=(1, 2))
    seen = mask[present & ~cut] if (present & ~cut).any() else mask[present]
    alpha = torch.from_numpy(seen).float()
    fits = shape_overlaps(alpha, middles_of(seen), alpha.sum(dim=(1, 2)))
    typical = fits.median(dim=0).values
    best = int(typical.argmax())
    steady = float((fits.argmax(dim=1) == best).float().mean())
    return SHAPES[best] if typical[best] > LEAST_FIT and steady >= STEADY else None


def middles_of(mask: np.ndarray) -> Tensor:
    """Centroids of a mask, bool (f, H, W): float32 (f, 2), x and y in pixels; NaN where empty."""
    middles = np.full((len(mask), 2), np.nan, np.float32)
    for middle, frame in zip(middles, mask, strict=True):
        if frame.any():
            middle[:] = np.argwhere(frame).mean(axis=0)[::-1]
    return torch.from_numpy(middles)


def _pixels(frames: np.ndarray) -> Tensor:
    """Convert uint8 (f, H, W, 3) to float32 (f, 3, 64, 64) from -1 to 1."""
    return to_unit_range(torch.from_numpy(resized(frames).copy()))


def resized(frames: np.ndarray) -> np.ndarray:
    """Resize frames, uint8 (f, H, W, 3), to the size of the small world."""
    size = (WORLD_SIZE, WORLD_SIZE)
    if frames.shape[1:3] == size:
        return frames
    return np.stack([cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in frames])


def reduced(mask: np.ndarray) -> np.ndarray:
    """Resize a mask, bool (f, H, W), to the size of the small world."""
    return resized(mask.astype(np.uint8)) > 0
