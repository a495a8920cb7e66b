"""The training of CLIP's two towers, with hard negative captions."""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import CLIPModel, CLIPTokenizer

from jobs.training.batches import draw_scenes, in_any_order
from jobs.training.loop import Loss
from jobs.training.precision import fast
from strmatch.inputs import to_unit_range, tokenize
from strmatch.miniature.scenes import Scene, Sprite, caption, with_attributes
from strmatch.miniature.vocabulary import BACKGROUNDS, COLOURS, SHAPES
from strmatch.miniature.world import render

HARDER, PAIRS, TRIOS = 0.2, 0.3, 0.15


def contrastive_loss(clip: CLIPModel, tokenizer: CLIPTokenizer, frames: int, device: str) -> Loss:
    """Returns the symmetric InfoNCE loss (Radford et al. 2021) with four hard negatives a frame."""

    def loss(step: int, generator: torch.Generator) -> Tensor:
        scenes = draw_scenes(frames, generator, HARDER, PAIRS, TRIOS)
        moments = torch.randint(3, (frames,), generator=generator)
        clips = render(scenes, num_frames=3, device=device).frames
        images = to_unit_range(clips[torch.arange(frames), moments])
        # A frame does not show motion. Captions name motion in half of the steps nevertheless.
        without = ("motion",) if torch.rand((), generator=generator) < 0.5 else ()
        said = [in_any_order(scene, generator) for scene in scenes]
        right = [caption(scene, without) for scene in said]
        wrong = [caption(other, without) for scene in said for other in _near(scene, generator)]
        with fast(device):
            shown = clip.get_image_features(images).pooler_output
            text = clip.get_text_features(tokenize(tokenizer, right + wrong, device)).pooler_output
        shown, text = F.normalize(shown.float(), dim=-1), F.normalize(text.float(), dim=-1)
        scale = clip.logit_scale.exp().clamp(max=100)
        own, others = text[:frames], text[frames:].unflatten(0, (frames, -1))
        among = scale * shown @ own.T + _same(scenes, device)
        nearby = scale * torch.einsum("bd,bkd->bk", shown, others)
        answers = torch.arange(frames, device=device)
        to_text = F.cross_entropy(torch.cat((among, nearby), dim=1), answers)
        return (to_text + F.cross_entropy(among.T, answers)) / 2

    return loss


def _near(scene: Scene, generator: torch.Generator) -> list[Scene]:
    """Returns four hard negatives: another colour, another shape, another background, and a fourth.

    The fourth exchanges the colours of the first two sprites, or changes colour and shape of a
    single one. The others change the first sprite, which is a random one of several.
    """

    def other(names: tuple[str, ...], than: str) -> str:
        choices = [name for name in names if name != than]
        return choices[int(torch.randint(len(choices), (), generator=generator))]

    subject = scene.sprites[0]
    colour, shape = other(tuple(COLOURS), subject.colour), other(SHAPES, subject.shape)
    near = [
        with_attributes(scene, colour=colour),
        with_attributes(scene, shape=shape),
        with_attributes(scene, background=other(tuple(BACKGROUNDS), scene.background)),
    ]
    if len(scene.sprites) == 1:
        return [*near, with_attributes(scene, colour=colour, shape=shape)]
    first, second, *rest = scene.sprites
    exchanged = (replace(first, colour=second.colour), replace(second, colour=first.colour), *rest)
    return [*near, replace(scene, sprites=exchanged)]


def _look(sprite: Sprite) -> tuple[str, str, str]:
    return sprite.shape, sprite.colour, sprite.texture


def _same(scenes: list[Scene], device: str) -> Tensor:
    """Returns a mask (b, b): -inf where two frames show the same (off the diagonal), else 0."""
    shown = [
        caption(replace(scene, sprites=tuple(sorted(scene.sprites, key=_look))), ("motion",))
        for scene in scenes
    ]
    same = torch.tensor([[one == two for two in shown] for one in shown], device=device)
    same.fill_diagonal_(False)
    return torch.zeros(same.shape, device=device).masked_fill(same, -torch.inf)
