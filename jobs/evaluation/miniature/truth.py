"""Whether an edited clip shows what its target prompt says, by the scene that was rendered."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import numpy as np
import torch

from pipelines.english.swaps import content_words
from strmatch.metrics.colour_difference import dilated
from strmatch.miniature.judge import judge
from strmatch.miniature.scenes import Scene, attributes, caption, with_attributes
from strmatch.miniature.vocabulary import BACKGROUNDS, COLOURS, SHAPES
from strmatch.miniature.world import render

KEPT = 24.0
"""Largest mean difference of another figure from the source, 0–255. Figures of different colours
differ by 60 or more in some channel."""


def counterfactual(
    scene: Scene, source_prompt: str, target_prompt: str
) -> tuple[int, Scene] | None:
    """Find the scene that a target prompt describes.

    Args:
        scene: the source.
        source_prompt, target_prompt: may leave out words, such as a second figure.

    Returns:
        The index of the edited sprite, and the scene; None if the source prompt does not describe
        the source, or the target prompt no scene with another sprite or background.
    """
    if _said(source_prompt) - _said(caption(scene)):
        return None
    unsaid = _said(caption(scene)) - _said(source_prompt)
    for index, other in _others(scene):
        if _said(caption(other)) - unsaid == _said(target_prompt):
            return index, other
    return None


def _others(scene: Scene) -> Iterator[tuple[int, Scene]]:
    """Scenes with another background, or with another shape or colour of one sprite."""
    for name in BACKGROUNDS:
        if name != scene.background:
            yield 0, with_attributes(scene, background=name)
    for index, sprite in enumerate(scene.sprites):
        for shape, colour in product(SHAPES, COLOURS):
            if (shape, colour) != (sprite.shape, sprite.colour):
                yield index, with_attributes(scene, shape=shape, colour=colour, sprite=index)


def _said(prompt: str) -> Counter[str]:
    return Counter(content_words(prompt))


def shows(edited: np.ndarray, source: Scene, target: Scene, index: int) -> bool:
    """Whether a clip shows a scene: the edited sprite by the judge, the others by their pixels.

    Args:
        edited: uint8 (f, H, W, 3).
        source: the scene before the edit.
        target: the scene that the edit shall show.
        index: the edited sprite.
    """
    alone = replace(target, sprites=(target.sprites[index],))
    away = replace(target.sprites[index], start=(-500.0, -500.0), motion="still")
    empty = replace(target, sprites=(away,))
    before = render([source], num_frames=len(edited))
    plate = render([empty], num_frames=len(edited)).frames[0].numpy()
    frames = before.frames[0].numpy()
    seen = edited.copy()
    for other in range(len(source.sprites)):
        if other == index:
            continue
        mask = before.masks[0, other].numpy()
        difference = np.abs(edited.astype(int) - frames)[mask]
        if difference.size and difference.mean() > KEPT:
            return False
        for frame, clean, inside in zip(seen, plate, mask, strict=True):
            wide = dilated(inside, 2)
            frame[wide] = clean[wide]
    (verdict,) = judge(torch.from_numpy(seen)[None]).verdicts
    return verdict == attributes(alone)
