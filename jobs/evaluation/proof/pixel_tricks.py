"""Cheap changes of clips that need no model: jitter of colours, and changes by exact masks.

Every function has uint8 clips (n, f, H, W, 3) and gives as many, one changed clip for each.
"""

import colorsys

import numpy as np

GREY = 0.25
"""Share of jittered clips that lose their colours."""


def jitter(clips: np.ndarray, seed: int) -> np.ndarray:
    """Change brightness, contrast and each channel of every clip; some become grey."""
    generator = np.random.default_rng(seed)
    changed = []
    for clip in clips.astype(np.float32):
        if generator.random() < GREY:
            clip = np.broadcast_to(clip.mean(axis=-1, keepdims=True), clip.shape)
        contrast, brightness = generator.uniform(0.6, 1.4), generator.uniform(-40, 40)
        channels = generator.uniform(0.6, 1.4, 3)
        changed.append(((clip - 128) * contrast + 128 + brightness) * channels)
    return np.clip(np.stack(changed), 0, 255).round().astype(np.uint8)


def hue_shift(clips: np.ndarray, masks: np.ndarray, seed: int) -> np.ndarray:
    """Turn the hue inside the exact masks, bool (n, f, H, W), by a random angle for every clip."""
    generator = np.random.default_rng(seed)
    changed = clips.copy()
    for clip, mask in zip(changed, masks, strict=True):
        clip[mask] = _turned(clip[mask], generator.uniform(0.15, 0.85))
    return changed


def paste(clips: np.ndarray, masks: np.ndarray, seed: int) -> np.ndarray:
    """Paste the pixels inside the exact masks on the background of another clip (FAME).

    After Ding et al. 2021, arXiv 2109.15130. Pixels that the other clip's figure covers are taken
    from frames in which they are free.
    """
    order = np.random.default_rng(seed).permutation(len(clips))
    backgrounds = np.empty_like(clips)
    backgrounds[order] = clips[np.roll(order, 1)]
    covered = np.empty_like(masks)
    covered[order] = masks[np.roll(order, 1)]
    return np.stack(
        [
            np.where(mask[..., None], clip, _without(background, cover)).astype(np.uint8)
            for clip, mask, background, cover in zip(
                clips, masks, backgrounds, covered, strict=True
            )
        ]
    )


def _turned(pixels: np.ndarray, angle: float) -> np.ndarray:
    """Turn the hue of pixels, uint8 (k, 3), by an angle in turns."""
    colours, places = np.unique(pixels, axis=0, return_inverse=True)
    turned = []
    for colour in colours:
        hue, *rest = colorsys.rgb_to_hsv(*(colour / 255))
        turned.append(colorsys.hsv_to_rgb((hue + angle) % 1, *rest))
    return (255 * np.array(turned)).round().astype(np.uint8)[places.reshape(-1)]


def _without(clip: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Fill the masked pixels by the median of the frames in which they are free."""
    free = np.where(mask[..., None], np.nan, clip.astype(np.float32))
    seen = ~mask.all(axis=0)
    filling = np.empty(clip.shape[1:], np.float32)
    filling[seen] = np.nanmedian(free[:, seen], axis=0)
    filling[~seen] = filling[seen].mean(axis=0)
    return np.where(mask[..., None], filling, clip)
