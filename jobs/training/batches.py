"""Random scenes of the training list."""

from dataclasses import replace

import torch

from strmatch.miniature.scenes import Scene, sample_scene
from strmatch.miniature.several import sample_several


def draw_scenes(
    count: int,
    generator: torch.Generator,
    harder: float = 0.0,
    pairs: float = 0.0,
    trios: float = 0.0,
) -> list[Scene]:
    """Draws `count` scenes of the training list.

    Args:
        count: number of scenes.
        generator: random generator on the CPU.
        harder: share of scenes of the harder kinds.
        pairs: share of scenes with two figures.
        trios: share of scenes with three figures. All other scenes are of the core.
    """
    scenes = []
    for draw in torch.rand(count, generator=generator).tolist():
        if draw < harder:
            scenes.append(sample_scene(generator, "train", "harder"))
        elif draw < harder + pairs + trios:
            figures = 2 if draw < harder + pairs else 3
            scenes.append(sample_several(generator, "train", figures))
        else:
            scenes.append(sample_scene(generator, "train"))
    return scenes


def in_any_order(scene: Scene, generator: torch.Generator) -> Scene:
    """Returns the scene with its figures in random order, for a caption that names them so.

    The order of a caption then says nothing about which figure is in front.
    """
    if len(scene.sprites) == 1:
        return scene
    order = torch.randperm(len(scene.sprites), generator=generator).tolist()
    return replace(scene, sprites=tuple(scene.sprites[index] for index in order))
