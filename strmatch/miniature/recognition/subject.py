"""Recognition of the single sprite in a frame: mask, centroid, colour and shape."""

from typing import NamedTuple

import torch
from torch import Tensor

from strmatch.colours import delta_e
from strmatch.miniature.recognition.components import largest_component, spread
from strmatch.miniature.recognition.patterns import Patterns
from strmatch.miniature.shapes import AREAS, coverage, signed_distance
from strmatch.miniature.vocabulary import COLOURS, SHAPES

# Half of the smallest distance between a sprite's colour and any mixture of a background's two.
MIN_DIFFERENCE = 50.0  # Euclidean in RGB
MIN_AREA, MAX_AREA = 64, 1400  # pixels; the sprites have 131 to 900
MAX_OTHER_AREA = 16  # pixels of a second component: one latent
MAX_DELTA_E = 23.0  # half of the smallest distance between two of the colours
MIN_IOU = 0.8  # a circle and a square of the same area have 0.83, other pairs at most 0.7


class Subjects(NamedTuple):
    """Subjects of a batch of frames."""

    present: Tensor
    """bool (n): the foreground of the frame consists of one subject."""
    masks: Tensor
    """bool (n, H, W): pixels at least half covered by the subject. False without a subject."""
    centroids: Tensor
    """float32 (n, 2): x, y in pixels. NaN without a subject."""
    areas: Tensor
    """float32 (n): pixels. NaN without a subject."""
    colours: Tensor
    """long (n): index into COLOURS, or -1 if unknown."""
    shapes: Tensor
    """long (n): index into SHAPES, or -1 if unknown."""


def find_subjects(frames: Tensor, patterns: Patterns) -> Subjects:
    """Segment the subject of each frame and recognise its colour and shape.

    Args:
        frames: float32 (n, H, W, 3), 0 to 255.
        patterns: result of `find_patterns` for the same frames.
    """
    component, area, other_area = largest_component(find_foreground(frames, patterns))
    present = (area >= MIN_AREA) & (area <= MAX_AREA) & (other_area < MAX_OTHER_AREA)
    nearby = spread(spread(component.byte())).bool()
    return look_at(frames, patterns, component, nearby, present)


def find_foreground(frames: Tensor, patterns: Patterns) -> Tensor:
    """Pixels that no mixture of the pattern's colours explains, bool (n, H, W)."""
    return _distance_to_segment(frames, patterns.colours) > MIN_DIFFERENCE


def look_at(
    frames: Tensor,
    patterns: Patterns,
    component: Tensor,
    nearby: Tensor,
    present: Tensor,
    min_iou: float = MIN_IOU,
) -> Subjects:
    """Recognise the colour and the shape of one component of each frame.

    Args:
        frames: float32 (n, H, W, 3), 0 to 255.
        patterns: result of `find_patterns` for the same frames.
        component: bool (n, H, W), the pixels of the subject.
        nearby: bool (n, H, W), the pixels that the subject may cover in part, including its own.
        present: bool (n), whether the component is a subject.
        min_iou: smallest overlap with a shape that counts.
    """
    component = component & present[:, None, None]
    colours, rgb = _name_colours(frames, _without_rim(component))

    alpha = _opacity(frames, patterns.plate, rgb)
    alpha = alpha * (nearby & present[:, None, None])
    areas = alpha.sum(dim=(1, 2))
    y = torch.arange(frames.shape[1], device=frames.device)
    x = torch.arange(frames.shape[2], device=frames.device)
    centroids = torch.stack(
        [(alpha.sum(dim=1) * x).sum(dim=1), (alpha.sum(dim=2) * y).sum(dim=1)], dim=1
    )
    centroids = centroids / areas[:, None]
    centroids[~present] = areas[~present] = torch.nan

    shapes = torch.full_like(colours, -1)
    overlaps = shape_overlaps(alpha[present], centroids[present], areas[present])
    best, name = overlaps.max(dim=1)
    shapes[present] = torch.where(best > min_iou, name, -1)
    return Subjects(present, alpha >= 0.5, centroids, areas, colours, shapes)


def _distance_to_segment(frames: Tensor, ends: Tensor) -> Tensor:
    """RGB distance to the nearest mixture of two colours (n, 2, 3), float32 (n, H, W)."""
    start, end = ends[:, None, None].unbind(-2)
    way = end - start
    share = ((frames - start) * way).sum(dim=-1, keepdim=True) / way.square().sum(-1, True)
    return torch.linalg.vector_norm(frames - start - share.clamp(0, 1) * way, dim=-1)


def _without_rim(masks: Tensor) -> Tensor:
    """Masks, bool (n, H, W), without border pixels, whose colours are mixtures."""
    return spread((~masks).byte()) == 0


def _name_colours(frames: Tensor, component: Tensor) -> tuple[Tensor, Tensor]:
    """The palette colour of most pixels of each component, and the mean colour of these pixels.

    Returns:
        long (n), -1 without a majority, and float32 (n, 3).
    """
    n = len(frames)
    frame = component.nonzero()[:, 0]
    pixels = frames[component]
    palette = frames.new_tensor(list(COLOURS.values()))
    distance, vote = delta_e(pixels[:, None], palette).min(dim=1)
    vote = torch.where(distance < MAX_DELTA_E, vote, len(palette))
    votes = frames.new_zeros(n, len(palette) + 1)
    votes.index_put_((frame, vote), frames.new_ones(()), accumulate=True)
    most, name = votes.max(dim=1)

    winners = (vote == name[frame]).float()[:, None]
    total = frames.new_zeros(n, 3).index_add_(0, frame, pixels * winners)
    known = (name < len(palette)) & (most > votes.sum(dim=1) / 2)
    return torch.where(known, name, -1), total / most.clamp(min=1)[:, None]


def _opacity(frames: Tensor, plate: Tensor, rgb: Tensor) -> Tensor:
    """Opacity of the subject per pixel, by the best-fitting mixture of `plate` and `rgb`.

    Returns:
        float32 (n, H, W), 0 to 1.
    """
    way = rgb[:, None, None] - plate
    share = ((frames - plate) * way).sum(dim=-1) / way.square().sum(dim=-1).clamp(min=1)
    return share.clamp(0, 1)


def shape_overlaps(alpha: Tensor, centroids: Tensor, areas: Tensor) -> Tensor:
    """Overlap of a subject with each of SHAPES of the same centroid and area.

    Args:
        alpha: (n, H, W), opacity of the subject.
        centroids: (n, 2), x and y in pixels.
        areas: (n), pixels.

    Returns:
        (n, shapes): intersection over union.
    """
    height, width = alpha.shape[1:]
    x = torch.arange(width, device=alpha.device) - centroids[:, 0, None, None]
    y = torch.arange(height, device=alpha.device)[:, None] - centroids[:, 1, None, None]
    overlaps = []
    for shape in SHAPES:
        size = (areas / AREAS[shape]).sqrt()[:, None, None]
        template = coverage(signed_distance(shape, x, y, size))
        common = torch.minimum(alpha, template).sum(dim=(1, 2))
        overlaps.append(common / torch.maximum(alpha, template).sum(dim=(1, 2)))
    return torch.stack(overlaps, dim=1)
