"""Renderer of scenes to frames with exact masks, optical flow and tracks."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from strmatch.miniature.backgrounds import figure_coverage
from strmatch.miniature.scenes import WORLD_SIZE, Scene
from strmatch.miniature.shapes import coverage, signed_distance
from strmatch.miniature.textures import shade
from strmatch.miniature.vocabulary import BACKGROUNDS, COLOURS


@dataclass(frozen=True)
class Rendered:
    """A batch of clips. Lengths are pixels of the rendered frames in the order (x, y)."""

    frames: Tensor
    """uint8 (b, f, H, W, 3), sRGB."""
    masks: Tensor
    """bool (b, objects, f, H, W): visible pixels of each sprite. All False for missing objects."""
    flow: Tensor
    """float32 (b, f - 1, H, W, 2): displacement of the surface at each pixel to the next frame."""
    tracks: Tensor
    """float32 (b, objects, f, 2): centroids of the whole sprites, including hidden parts. NaN for
    missing objects. Pixel centres lie at integer indices."""


def render(
    scenes: Sequence[Scene],
    num_frames: int = 16,
    size: int = WORLD_SIZE,
    device: torch.device | str | None = None,
) -> Rendered:
    """Render clips of `num_frames` frames with `size` × `size` pixels, deterministically.

    Geometry is computed in float64 and colours are mixed in integers, so that equal scenes give
    equal bytes on all machines.

    Args:
        scenes: one scene per clip.
        num_frames: number of frames.
        size: side of a frame in pixels.
        device: device of the computation and of the result.
    """
    objects = max(len(scene.sprites) for scene in scenes)
    pixel = WORLD_SIZE / size
    axis = (torch.arange(size, dtype=torch.float64, device=device) + 0.5) * pixel - 0.5
    poses = _poses(scenes, objects, num_frames).to(device)
    tracks = (poses[..., :2] + 0.5) / pixel - 0.5

    frames = _backgrounds(scenes, num_frames, axis, pixel)
    durations = torch.tensor([scene.duration for scene in scenes], device=device)
    drifts = torch.tensor([scene.drift for scene in scenes], device=device) * durations[:, None]
    flow = (drifts / max(num_frames - 1, 1) / pixel)[:, None, None, None].repeat(
        1, num_frames - 1, size, size, 1
    )
    masks = torch.zeros(
        len(scenes), objects, num_frames, size, size, dtype=torch.bool, device=device
    )
    for layer, shape, texture, rows in _layers(scenes):
        pose = poses[rows, layer]
        x = axis - pose[..., 0, None, None]  # (n, f, 1, W)
        y = axis[:, None] - pose[..., 1, None, None]  # (n, f, H, 1)
        distance = signed_distance(shape, x, y, pose[..., 2, None, None])
        opacity = _to_byte(coverage(distance, pixel))[..., None]
        colours = [COLOURS[scenes[row].sprites[layer].colour] for row in rows]
        colour = torch.tensor(colours, dtype=torch.int32, device=device)[:, None, None, None]
        if texture != "plain":
            colour = colour * _to_byte(shade(texture, x, y))[..., None] // 255
        frames[rows] = (frames[rows] * (255 - opacity) + colour * opacity + 127) // 255
        visible = opacity[..., 0] >= 128
        masks[rows, :layer] &= ~visible[:, None]
        masks[rows, layer] = visible
        seen = visible[:, :-1, ..., None]
        own = _sprite_flow(pose, x, y) / pixel
        flow[rows] = torch.where(seen, own.float(), flow[rows])
    return Rendered(frames.to(torch.uint8), masks, flow, tracks.float())


def _poses(scenes: Sequence[Scene], objects: int, num_frames: int) -> Tensor:
    """(x, y, size) of every sprite, float64 (b, objects, f, 3), NaN for missing sprites."""
    times = [frame / max(num_frames - 1, 1) for frame in range(num_frames)]
    poses = torch.full((len(scenes), objects, num_frames, 3), torch.nan, dtype=torch.float64)
    for row, scene in enumerate(scenes):
        for layer, sprite in enumerate(scene.sprites):
            path = [sprite.pose(time * scene.duration) for time in times]
            poses[row, layer] = torch.tensor(path, dtype=torch.float64)
    return poses


def _layers(scenes: Sequence[Scene]) -> list[tuple[int, str, str, list[int]]]:
    """(layer, shape, texture, rows of the batch) of sprites drawn together, back to front."""
    rows = defaultdict(list)
    for row, scene in enumerate(scenes):
        for layer, sprite in enumerate(scene.sprites):
            rows[layer, sprite.shape, sprite.texture].append(row)
    return [(*key, rows[key]) for key in sorted(rows)]


def _backgrounds(scenes: Sequence[Scene], num_frames: int, axis: Tensor, pixel: float) -> Tensor:
    """Frames without sprites, int32 (b, f, H, W, 3)."""
    size = len(axis)
    frames = torch.empty(
        len(scenes), num_frames, size, size, 3, dtype=torch.int32, device=axis.device
    )
    times = torch.linspace(0, 1, num_frames, dtype=torch.float64, device=axis.device)
    rows_of = defaultdict(list)
    for row, scene in enumerate(scenes):
        rows_of[scene.background, scene.drift != (0.0, 0.0)].append(row)
    for (background, drifts), rows in rows_of.items():
        phases = torch.tensor([scenes[row].phase for row in rows]).to(axis)
        ways = torch.tensor([scenes[row].drift for row in rows]).to(axis)
        ways *= torch.tensor([[scenes[row].duration] for row in rows]).to(axis)
        offsets = phases[:, None] + ways[:, None] * times[: None if drifts else 1, None]
        x = axis - offsets[..., 0, None, None]
        y = axis[:, None] - offsets[..., 1, None, None]
        share = _to_byte(figure_coverage(background, x, y, pixel))[..., None]
        figure, ground = torch.tensor(
            BACKGROUNDS[background], dtype=torch.int32, device=axis.device
        )
        frames[rows] = (figure * share + ground * (255 - share) + 127) // 255
    return frames


def _sprite_flow(pose: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Flow of the sprite's surface, extended to the whole frame, float64 (n, f - 1, H, W, 2).

    Args:
        pose: float64 (n, f, 3), x, y and size.
        x, y: offsets of the pixels from the centroid, (n, f, 1, W) and (n, f, H, 1).
    """
    step = pose[:, 1:, :2] - pose[:, :-1, :2]
    growth = (pose[:, 1:, 2] / pose[:, :-1, 2] - 1)[..., None, None]
    across = step[..., 0, None, None] + growth * x[:, :-1]
    down = step[..., 1, None, None] + growth * y[:, :-1]
    return torch.stack(torch.broadcast_tensors(across, down), dim=-1)


def _to_byte(share: Tensor) -> Tensor:
    """Convert shares, 0 to 1, to integers, 0 to 255.

    The small offset avoids rounding at exact ties, where the last bit differs between machines.
    """
    return (share * 255 + 0.5 + 1e-6).floor().to(torch.int32)
