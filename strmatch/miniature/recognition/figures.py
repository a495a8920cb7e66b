"""Recognition of several sprites in a frame, each at its place."""

from typing import NamedTuple

import torch
from torch import Tensor

from strmatch.colours import delta_e
from strmatch.miniature.recognition.components import label_components, spread
from strmatch.miniature.recognition.patterns import Patterns
from strmatch.miniature.recognition.subject import (
    MAX_AREA,
    MAX_DELTA_E,
    MAX_OTHER_AREA,
    MIN_AREA,
    Subjects,
    find_foreground,
    look_at,
)
from strmatch.miniature.vocabulary import COLOURS

MIN_IOU = 0.74  # sprites of 18 to 23 pixels, of which the outline is a larger part
MAX_DISTANCE = 8.0  # pixels from a place to the nearest pixel of the sprite there


class Figure(NamedTuple):
    """One of several sprites in a batch of frames."""

    subject: Subjects
    """Present where the sprite and no other is at its place."""
    apart: Tensor
    """bool (n): no other sprite is within three pixels. A nearer one may be in front: at the border
    of two colours, decoded frames show a fringe that looks like the background."""


def find_figures(frames: Tensor, patterns: Patterns, places: Tensor) -> list[Figure]:
    """Recognise the sprite at each place.

    Args:
        frames: float32 (n, H, W, 3), 0 to 255.
        patterns: result of `find_patterns` for the same frames.
        places: float32 (n, sprites, 2), x and y in pixels, NaN for unknown places.

    Returns:
        One result per place.
    """
    foreground = find_foreground(frames, patterns)
    labels, areas = label_components(foreground)
    own = _labels_at(labels, places)  # (n, sprites)
    area = areas.gather(1, own)
    other_area = areas.scatter(1, own, 0).amax(dim=1, keepdim=True)
    alone = (own[:, :, None] == own[:, None]).sum(dim=2) == 1
    present = alone & (area >= MIN_AREA) & (area <= MAX_AREA) & (other_area < MAX_OTHER_AREA)
    figures = []
    for index in range(places.shape[1]):
        component = labels == own[:, index, None, None]
        others = foreground & ~component
        nearby = spread(spread(component.byte())).bool()
        subject = look_at(frames, patterns, component, nearby & ~others, present[:, index], MIN_IOU)
        close = spread(nearby.byte()).bool() & others
        figures.append(Figure(subject, ~close.flatten(1).any(dim=1)))
    return figures


def _labels_at(labels: Tensor, places: Tensor) -> Tensor:
    """The label nearest to each place, long (n, sprites), 0 if none is near."""
    y = torch.arange(labels.shape[1], device=labels.device)[:, None]
    x = torch.arange(labels.shape[2], device=labels.device)
    across, down = (places[..., axis, None, None] for axis in (0, 1))
    distance = torch.hypot(x - across, y - down)  # (n, sprites, H, W)
    distance = torch.where(labels[:, None] > 0, distance, torch.inf).nan_to_num(nan=torch.inf)
    nearest, pixel = distance.flatten(2).min(dim=2)
    return torch.where(nearest <= MAX_DISTANCE, labels.flatten(1).gather(1, pixel), 0)


def find_places(frames: Tensor, patterns: Patterns, count: int, clips: int) -> Tensor:
    """Places of the sprites of each clip, if nothing but their number is known.

    The sprites are taken to be the pixels of the `count` most frequent colours of the clip.

    Args:
        frames: float32 (n, H, W, 3), 0 to 255, the frames of all clips.
        patterns: result of `find_patterns` for the same frames.
        count: number of sprites.
        clips: number of clips.

    Returns:
        float32 (n, count, 2), x and y in pixels, NaN in frames with few pixels of the colour.
    """
    foreground = find_foreground(frames, patterns)
    palette = frames.new_tensor(list(COLOURS.values()))
    distance, name = delta_e(frames[foreground][:, None], palette).min(dim=1)
    named = torch.full_like(foreground, len(palette), dtype=torch.long)
    named[foreground] = torch.where(distance < MAX_DELTA_E, name, len(palette))
    votes = torch.nn.functional.one_hot(named, len(palette) + 1)[..., :-1].float()  # (n, H, W, 6)
    areas = votes.sum(dim=(1, 2))
    chosen = areas.unflatten(0, (clips, -1)).sum(dim=1).topk(count, dim=1).indices
    chosen = chosen.repeat_interleave(len(frames) // clips, dim=0)
    x = torch.arange(frames.shape[2], device=frames.device)
    y = torch.arange(frames.shape[1], device=frames.device)
    sums = torch.stack(
        [(votes.sum(dim=1) * x[:, None]).sum(dim=1), (votes.sum(dim=2) * y[:, None]).sum(dim=1)],
        dim=2,
    )  # (n, 6, 2)
    centroids = torch.where(areas >= MAX_OTHER_AREA, 1.0, torch.nan)[..., None] * sums
    centroids = centroids / areas[..., None]
    return centroids.gather(1, chosen[..., None].expand(-1, -1, 2))
