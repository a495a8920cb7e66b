"""Regions of a clip with target prompts of their own, edited in one pass.

The guided noise of a step is blended by region (MultiDiffusion, Bar-Tal et al. 2023,
arXiv 2302.08113):

    ε = ε_u + g Σ_k M_k (ε(z, y_k) − ε_u)

y_k is the text of region k, see `region_texts`, and M_k its dilated mask without the positions of
later regions: later regions are in front, and each latent position belongs to one region. Eq. 6
keeps the source outside the union of the dilated masks, where any ε has no effect. The inversion,
the unconditional ε_u and the matching step are shared. The target's score is conditioned on the
joint prompt, which describes the whole edited clip.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_

import numpy as np
import torch
from torch import Tensor

from strmatch.backbones.base import Backbone
from strmatch.masks import blend, latent_mask, mask_tensor
from strmatch.validation import check_fields

ARTICLE = re.compile(r"^(an?|the)\s+", re.IGNORECASE)
"""The article of a target prompt, which may be another in the joint prompt."""


@dataclass(frozen=True, eq=False)
class Region:
    """A part of a clip, and what it shows after the edit.

    Raises:
        TypeError: a field has the wrong type.
    """

    mask: np.ndarray | None
    """bool (f, H, W), True inside. None: everywhere."""
    target_prompt: str
    """What the region shows, preferably in the words of the joint prompt: "a blue square"."""
    source_prompt: str | None = None
    """Words of the clip's source prompt that the target prompt replaces, see `join_prompts`."""

    def __post_init__(self) -> None:
        check_fields(self)


def as_regions(
    target_prompt: str | Sequence[Region],
    mask: np.ndarray | None = None,
    joint_prompt: str | None = None,
    source_prompt: str = "",
) -> tuple[Sequence[Region], str]:
    """Bring the two forms of an edit into one.

    Args:
        target_prompt: a prompt, which makes one region of `mask`, or regions.
        mask: bool (f, H, W), or None.
        joint_prompt: description of the whole edited clip. None: see `join_prompts`.
        source_prompt: description of the clip. Empty: not known.

    Returns:
        The regions from back to front, and the joint prompt.

    Raises:
        ValueError: there are no regions, or an argument belongs to the other form.
    """
    if isinstance(target_prompt, str):
        if joint_prompt is not None:
            raise ValueError("joint_prompt needs regions: a target prompt describes the whole clip")
        return (Region(mask, target_prompt),), target_prompt
    if mask is not None:
        raise ValueError("mask must be None with regions, which have masks of their own")
    if not target_prompt:
        raise ValueError("target_prompt must hold at least one region")
    if joint_prompt is None:
        joint_prompt = join_prompts(target_prompt, source_prompt)
    return target_prompt, joint_prompt


def join_prompts(regions: Sequence[Region], source_prompt: str = "") -> str:
    """Derive the joint prompt, the description of the whole edited clip.

    One region: its target prompt. Several regions: the clip's source prompt in which the source
    prompt of each region is replaced by its target prompt. Where a source prompt is not found in
    the clip's, the target prompts joined by "and", equal ones once.

    Args:
        regions: the regions. Regions of equal source prompts replace one occurrence after another.
        source_prompt: description of the clip. Empty: not known.
    """
    spans = _find([region.source_prompt or "" for region in regions], source_prompt)
    if spans is None or len(regions) == 1:
        return _listed(regions)
    text = source_prompt
    targets = (region.target_prompt for region in regions)
    for (start, end), words in sorted(zip(spans, targets, strict=True), reverse=True):
        text = text[:start] + words + text[end:]
    return text


def region_texts(
    regions: Sequence[Region],
    joint_prompt: str,
    embed: Callable[[str], Tensor],
    token_positions: Callable[[str, int, int], slice],
) -> Tensor:
    """Text conditions of the regions: y_k.

    A region reads the joint prompt without the target prompts of the other regions, whose tokens
    have the condition of padding: what the region shows is described beside the rest of the clip,
    and seldom takes an attribute of another region. Where a target prompt is not found in the joint
    prompt, or the joint prompt is only the list of target prompts, every region reads its target
    prompt.

    Args:
        regions: the regions. Articles and case of target prompts may differ from the joint prompt.
        joint_prompt: description of the whole edited clip.
        embed, token_positions: see `strmatch.backbones.base.Backbone`.

    Returns:
        (regions, tokens, d).
    """
    if len(regions) == 1:
        return embed(regions[0].target_prompt)
    spans = _find([ARTICLE.sub("", region.target_prompt) for region in regions], joint_prompt)
    if spans is None or joint_prompt == _listed(regions):
        return torch.cat([embed(region.target_prompt) for region in regions])
    whole = embed(joint_prompt)
    texts = whole.repeat(len(regions), 1, 1)
    for number, span in enumerate(spans):
        others = [other for other in range(len(regions)) if other != number]
        texts[others, token_positions(joint_prompt, *span)] = whole[:, -1:]
    return texts


def _listed(regions: Sequence[Region]) -> str:
    """The different target prompts, joined by "and"."""
    return " and ".join(dict.fromkeys(region.target_prompt for region in regions))


def _find(phrases: Sequence[str], text: str) -> list[tuple[int, int]] | None:
    """Where each phrase is in a text, apart from the others. None: one is missing, or empty.

    Equal phrases are found one after another, and longer phrases first: a "square" is not that of a
    "blue square".
    """
    spans: dict[int, tuple[int, int]] = {}
    for number in sorted(range(len(phrases)), key=lambda number: -len(phrases[number])):
        phrase = rf"(?<!\w){re.escape(phrases[number])}(?!\w)"
        free = (
            match.span()
            for match in re.finditer(phrase, text, re.IGNORECASE)
            if all(match.end() <= start or end <= match.start() for start, end in spans.values())
        )
        span = next(free, None)
        if span is None or not phrases[number]:
            return None
        spans[number] = span
    return [spans[number] for number in range(len(phrases))]


def latent_masks(
    regions: Sequence[Region], backbone: Backbone, latents: Tensor, dilation: int
) -> Tensor:
    """The dilated masks of all regions in the latents, see `strmatch.masks.latent_mask`.

    Args:
        regions: the regions.
        backbone: gives the pixel size of the latents.
        latents: (1, c, f, h, w) of the clip.
        dilation: side of the square in latent pixels, odd.

    Returns:
        bool (regions, 1, f, h, w).

    Raises:
        ValueError: a mask does not match the clip's frames and size.
    """
    frames, height, width = latents.shape[2:]
    everywhere = torch.ones_like(latents[:, :1], dtype=torch.bool)
    return torch.cat(
        [
            everywhere if pixels is None else latent_mask(pixels, height, width, dilation, frames)
            for pixels in _pixel_masks(regions, backbone, latents)
        ]
    )


def union_mask(regions: Sequence[Region], backbone: Backbone, latents: Tensor) -> Tensor | None:
    """The pixels of all regions, bool (f, H, W). None if a region is everywhere.

    Args:
        regions, backbone, latents: see `latent_masks`.

    Raises:
        ValueError: a mask does not match the clip's frames and size.
    """
    masks = [pixels for pixels in _pixel_masks(regions, backbone, latents) if pixels is not None]
    return reduce(or_, masks) if len(masks) == len(regions) else None


def _pixel_masks(
    regions: Sequence[Region], backbone: Backbone, latents: Tensor
) -> list[Tensor | None]:
    """The masks as tensors (f, H, W)."""
    names = [f"mask of region {number}" for number in range(1, len(regions) + 1)]
    return [
        None
        if region.mask is None
        else mask_tensor(backbone, region.mask, latents, name if len(regions) > 1 else "mask")
        for name, region in zip(names, regions, strict=True)
    ]


def in_front(parts: Tensor, masks: Tensor) -> Tensor:
    """At each position the part of the last region there, and the first part outside all regions.

    Args:
        parts: (regions, c, f, h, w).
        masks: bool (regions, 1, f, h, w).

    Returns:
        (1, c, f, h, w).
    """
    shown = parts[:1]
    for part, mask in zip(parts.split(1), masks.split(1), strict=True):
        shown = blend(part, shown, mask)
    return shown
