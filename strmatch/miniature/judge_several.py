"""Recognition of each of several sprites from the pixels of a clip.

The recognition may be told how many sprites there are and where, never what they are.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from strmatch.miniature.judge import CHUNK, NONE, most_frames
from strmatch.miniature.recognition.figures import Figure, find_figures, find_places
from strmatch.miniature.recognition.patterns import find_patterns
from strmatch.miniature.recognition.tracks import continued, name_motion
from strmatch.miniature.splits import Attributes
from strmatch.miniature.vocabulary import BACKGROUNDS, COLOURS, SHAPES

MIN_SHARE_ALONE = 0.25  # of the frames, in which a sprite touches no other


class SeveralJudgement(NamedTuple):
    """Recognised content of a batch of clips of several sprites."""

    verdicts: list[list[Attributes]]
    """By clip and sprite. A colour or shape that does not hold in most frames in which the sprite
    touches no other is "none"."""
    masks: Tensor
    """bool (b, sprites, f, H, W): the sprites. All False in frames where a sprite touches
    another."""
    tracks: Tensor
    """float32 (b, sprites, f, 2): centroids, x and y in pixels. NaN where masks are False."""


def judge_several(frames: Tensor, sprites: int, places: Tensor | None = None) -> SeveralJudgement:
    """Recognise each of several sprites, in the frames in which it touches no other.

    Args:
        frames: uint8 (b, f, H, W, 3).
        sprites: number of sprites of every clip.
        places: float (b, sprites, f, 2), about where each sprite is, x and y in pixels: the true
            tracks. None: the sprites are found by their colours, the most frequent first.
    """
    chunks = [slice(start, start + CHUNK) for start in range(0, len(frames), CHUNK)]
    parts = [
        _judge(frames[chunk], sprites, None if places is None else places[chunk])
        for chunk in chunks
    ]
    return SeveralJudgement(
        [verdict for part in parts for verdict in part.verdicts],
        torch.cat([part.masks for part in parts]),
        torch.cat([part.tracks for part in parts]),
    )


def _judge(frames: Tensor, sprites: int, places: Tensor | None) -> SeveralJudgement:
    b, f = frames.shape[:2]
    flat = frames.flatten(0, 1).float()
    patterns = find_patterns(flat, several=True)
    if places is None:
        where = find_places(flat, patterns, sprites, b)
    else:
        where = places.transpose(1, 2).flatten(0, 1).float()
    figures = find_figures(flat, patterns, where)
    backgrounds = most_frames(patterns.names.view(b, f), tuple(BACKGROUNDS))
    by_sprite = [_follow(figure, backgrounds) for figure in figures]
    verdicts = zip(*(verdicts for verdicts, _, _ in by_sprite), strict=True)
    return SeveralJudgement(
        [list(of_clip) for of_clip in verdicts],
        torch.stack([masks for _, masks, _ in by_sprite], dim=1),
        torch.stack([tracks for _, _, tracks in by_sprite], dim=1),
    )


def _follow(figure: Figure, backgrounds: list[str]) -> tuple[list[Attributes], Tensor, Tensor]:
    """The attributes (b), masks (b, f, H, W) and tracks (b, f, 2) of one sprite of every clip."""
    clips = (len(backgrounds), -1)
    subject = figure.subject
    present = subject.present.view(clips)
    apart = present & figure.apart.view(clips)
    whole = torch.where(_often(apart), apart, present)
    votes = torch.where(_often(whole), whole, False)
    shapes, colours = (
        most_frames(torch.where(votes, seen.view(clips), -1), names, votes.sum(dim=1))
        for seen, names in ((subject.shapes, SHAPES), (subject.colours, tuple(COLOURS)))
    )
    tracks = subject.centroids.view(*clips, 2).where(votes[..., None], torch.nan)
    sizes = subject.areas.sqrt().view(clips).where(votes, torch.nan)
    motions = [
        name_motion(*continued(track, size))
        for track, size in zip(tracks.cpu(), sizes.cpu(), strict=True)
    ]
    verdicts = [
        Attributes(shape, colour, motion or NONE, background)
        for shape, colour, motion, background in zip(
            shapes, colours, motions, backgrounds, strict=True
        )
    ]
    masks = subject.masks.unflatten(0, clips) & votes[..., None, None]
    return verdicts, masks, tracks


def _often(held: Tensor) -> Tensor:
    """Whether it holds in enough frames to judge a sprite, bool (b, 1). Held: bool (b, f)."""
    return held.float().mean(dim=1, keepdim=True) >= MIN_SHARE_ALONE
