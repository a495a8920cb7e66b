"""The maps S and T of STR-Match as slices of a joint attention over space and time.

Joint attention compares every token (i, p), frame i and position p, with every token (j, q):

    P[(i,p),(j,q)] = exp(s q_(i,p)·k_(j,q) − L_(i,p)),   L_(i,p) = log Σ_k' exp(s q_(i,p)·k_k')

with s = 1/√d and the sum over all keys, those of the text included. The score needs two slices of
it, the spatial one j = i and the temporal one q = p. They are computed from the queries and keys,
so that P itself, (f·n)² entries a head, is never in memory. Only the maps that leave this module
live longer than a chunk of frames: each chunk is computed again in the backward pass.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from strmatch.attention import JointChoice, LayerMaps, Relevance

ENTRIES = 1 << 25
"""Most entries of the maps of all heads that are computed at once, but at least one frame's.
A frame of Wan at 480×832 has 29 million."""


class Grid(NamedTuple):
    """The tokens of a joint attention: those of the text, then the clip's, row by row."""

    frames: int
    height: int
    width: int
    text: int = 0

    @property
    def positions(self) -> int:
        """Number n of positions of a frame."""
        return self.height * self.width


class HeadSplit(NamedTuple):
    """Heads of one block by what they attend to, see `strmatch.backbones.joint.heads`."""

    spatial: Tensor
    """Indices of the heads whose mean is S."""
    temporal: Tensor
    """Indices of the heads whose mean is T."""


def joint_maps(
    query: Tensor,
    key: Tensor,
    grid: Grid,
    choice: JointChoice,
    mean_heads: bool = False,
    split: HeadSplit | None = None,
) -> LayerMaps | Relevance:
    """Maps of one block for one clip from its queries and keys.

    Args:
        query, key: (heads, text + f·n, d), after norms and rotary positions.
        grid: meaning of the tokens.
        choice: form of the maps.
        mean_heads: average over the heads: h = 1.
        split: heads of S and of T, each averaged: h = 1. Not for direct relevance.

    Returns:
        S (f, h, n, n) and T (n, h, f, f), or with `choice.slices` "direct" Ω (f, h, n, n). In at
        least float32, differentiable in the queries and keys.
    """
    query = query * query.shape[-1] ** -0.5
    mass = None if choice.slices == "renormalised" else _log_masses(query, key, grid)
    queries, keys = _by_frame(query, grid), _by_frame(key, grid)
    if choice.slices == "direct":
        assert mass is not None
        return Relevance(_direct(queries, keys, mass, choice.radius, mean_heads))
    mean = mean_heads or split is not None
    over_space, over_time = (queries, keys, mass), (queries, keys, mass)
    if split is not None:
        over_space = _of_heads(split.spatial, *over_space)
        over_time = _of_heads(split.temporal, *over_time)
    neighbours = _neighbours(grid, choice.neighbourhood, query.device)
    return LayerMaps(_spatial(*over_space, mean), _temporal(*over_time, mean, *neighbours))


def _spatial(queries: Tensor, keys: Tensor, mass: Tensor | None, mean: bool) -> Tensor:
    """S (f, h, n, n) from queries and keys (f, h, n, d) and L (f, h, n)."""

    def of_frames(query: Tensor, key: Tensor, mass: Tensor | None) -> Tensor:
        maps = _probabilities(_logits(query, key), mass)
        return maps.mean(dim=1, keepdim=True) if mean else maps

    f, h, n, _ = queries.shape
    return torch.cat(
        [
            _recomputed(of_frames, queries[part], keys[part], None if mass is None else mass[part])
            for part in _chunks(f, h * n * n)
        ]
    )


def _temporal(
    queries: Tensor,
    keys: Tensor,
    mass: Tensor | None,
    mean: bool,
    neighbours: Tensor,
    inside: Tensor,
) -> Tensor:
    """T (n, h, f, f): attention to the positions around the query's own one in every frame.

    Args:
        neighbours: (b, n), positions around each position.
        inside: bool (b, n), whether the neighbour is inside the frame.
    """
    by_position = keys.permute(2, 1, 0, 3)  # (n, h, f, d)

    def of_positions(query: Tensor, mass: Tensor | None, near: Tensor, inside: Tensor) -> Tensor:
        logits = [
            _logits(query, by_position[places]).masked_fill(~within[:, None, None, None], -math.inf)
            for places, within in zip(near, inside, strict=True)
        ]
        maps = _probabilities(torch.cat(logits, dim=-1), mass)
        maps = maps.unflatten(-1, (len(logits), -1)).sum(dim=-2)
        return maps.mean(dim=1, keepdim=True) if mean else maps

    rows = queries.permute(2, 1, 0, 3)
    masses = None if mass is None else mass.permute(2, 1, 0)
    n, h, f, _ = rows.shape
    return torch.cat(
        [
            _recomputed(
                of_positions,
                rows[part],
                None if masses is None else masses[part],
                neighbours[:, part],
                inside[:, part],
            )
            for part in _chunks(n, len(neighbours) * h * f * f)
        ]
    )


def _direct(queries: Tensor, keys: Tensor, mass: Tensor, radius: int, mean: bool) -> Tensor:
    """Ω(i,p,q) = Σ_{j ∈ N(i)} P[(i,p),(j,q)] + P[(j,q),(i,p)], (f, h, n, n)."""

    def of_frame(i: int, queries: Tensor, keys: Tensor, mass: Tensor) -> Tensor:
        frames = range(max(0, i - radius), min(len(queries), i + radius + 1))
        total = torch.zeros((), dtype=mass.dtype, device=mass.device)
        for j in frames:
            if j != i:
                there = _probabilities(_logits(queries[i], keys[j]), mass[i])
                back = _probabilities(_logits(queries[j], keys[i]), mass[j])
                total = total + there + back.transpose(-1, -2)
        if not total.ndim:  # a clip of one frame
            h, n = mass[i].shape
            total = total.expand(h, n, n)
        return total.mean(dim=0, keepdim=True) if mean else total

    frames = range(len(queries))
    return torch.stack([_recomputed(of_frame, i, queries, keys, mass) for i in frames])


def _log_masses(query: Tensor, key: Tensor, grid: Grid) -> Tensor:
    """L (f, h, n) over all keys, from scaled queries (h, text + f·n, d)."""
    n, tokens = grid.positions, key.shape[-2]

    def of_rows(query: Tensor, key: Tensor) -> Tensor:
        return _logits(query, key).logsumexp(dim=-1)

    by_head = [
        torch.cat(
            [
                _recomputed(of_rows, rows[part].flatten(0, 1), keys).unflatten(0, (-1, n))
                for part in _chunks(grid.frames, n * tokens)
            ]
        )
        for rows, keys in zip(_by_frame(query, grid).unbind(dim=1), key, strict=True)
    ]
    return torch.stack(by_head, dim=1)


def _logits(query: Tensor, key: Tensor) -> Tensor:
    """In at least float32, for the mean over many heads and for log-sum-exp."""
    logits = query @ key.transpose(-1, -2)
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def _probabilities(logits: Tensor, mass: Tensor | None) -> Tensor:
    """Rows that sum to 1, or to their share of the joint map if its log mass is given."""
    return logits.softmax(dim=-1) if mass is None else (logits - mass[..., None]).exp()


def _by_frame(tokens: Tensor, grid: Grid) -> Tensor:
    """The clip's tokens (heads, text + f·n, d) as (f, heads, n, d)."""
    return tokens[:, grid.text :].unflatten(1, (grid.frames, grid.positions)).transpose(0, 1)


def _of_heads(heads: Tensor, *tensors: Tensor | None) -> Any:
    return tuple(None if tensor is None else tensor[:, heads] for tensor in tensors)


def _neighbours(grid: Grid, side: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Positions (side², n) in the square around each position, and which are inside the frame."""
    reach = torch.arange(-(side // 2), side // 2 + 1, device=device)
    rows = torch.arange(grid.height, device=device)[:, None] + reach[:, None, None, None]
    columns = torch.arange(grid.width, device=device) + reach[:, None, None]
    inside = (rows >= 0) & (rows < grid.height) & (columns >= 0) & (columns < grid.width)
    places = rows.clamp(0, grid.height - 1) * grid.width + columns.clamp(0, grid.width - 1)
    return places.flatten(0, 1).flatten(1), inside.flatten(0, 1).flatten(1)


def _chunks(count: int, entries: int) -> Iterator[slice]:
    """Parts of `count` items of `entries` entries each."""
    size = max(1, ENTRIES // entries)
    return (slice(start, start + size) for start in range(0, count, size))


def _recomputed(function: Callable[..., Tensor], *inputs: Any) -> Tensor:
    """The function's result, of which the backward pass recomputes what is between."""
    result: Tensor = checkpoint(function, *inputs, use_reentrant=False, preserve_rng_state=False)
    return result
