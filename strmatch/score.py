"""The spatiotemporal relevance (STR) score, Eq. 2–4 of arXiv 2506.22868."""

import torch
from torch import Tensor


def str_score(spatial: Tensor, temporal: Tensor, radius: int = 1) -> Tensor:
    """Relevance Ω of every pair of positions across adjacent frames.

    Eq. 4, Ω(i, p, q) = Σ_{j ∈ N(i)} g(I_i(p), I_j(q)), with Eq. 2 and 3 written out:

        g = T_p(i,j) S_j(p,q) + S_i(p,q) T_q(i,j) + T_q(j,i) S_i(q,p) + S_j(q,p) T_p(j,i)

    where N(i) = {j : 1 ≤ |i − j| ≤ radius}; neighbours outside the clip are ignored.

    Args:
        spatial: (f, h, n, n), spatial[i, ·, p, q] = S_i(p, q) = Attn(I_i(p) → I_i(q)).
        temporal: (n, h, f, f), temporal[p, ·, i, j] = T_p(i, j) = Attn(I_i(p) → I_j(p)).
        radius: largest distance of a neighbour in frames, at least 1.

    Returns:
        (f, h, n, n), differentiable in both maps.

    Raises:
        ValueError: the maps disagree in frames, heads or positions, or the radius is below 1.
    """
    _check(spatial, temporal, radius)
    frames = torch.arange(spatial.shape[0], device=spatial.device)
    distance = (frames[:, None] - frames[None, :]).abs()
    near = temporal * ((distance >= 1) & (distance <= radius))

    # Terms 1 and 4 mix the maps of neighbouring frames at the query's own position p.
    mixed = torch.einsum("phij,jhpq->ihpq", near, spatial)
    mixed = mixed + torch.einsum("phji,jhqp->ihpq", near, spatial)
    # Terms 2 and 3 weigh the frame's own map by the temporal attention of q, summed over j.
    outgoing = near.sum(dim=3).permute(2, 1, 0).unsqueeze(2)  # (f, h, 1, n): Σ_j T_q(i, j)
    incoming = near.sum(dim=2).permute(2, 1, 0).unsqueeze(2)  # (f, h, 1, n): Σ_j T_q(j, i)
    return mixed + spatial * outgoing + spatial.transpose(2, 3) * incoming


def _check(spatial: Tensor, temporal: Tensor, radius: int) -> None:
    if radius < 1:
        raise ValueError(f"radius must be at least 1, got {radius}")
    if spatial.ndim != 4 or spatial.shape[2] != spatial.shape[3]:
        raise ValueError(f"spatial must be (f, h, n, n), got {tuple(spatial.shape)}")
    f, h, n, _ = spatial.shape
    if temporal.shape != (n, h, f, f):
        raise ValueError(
            f"temporal must be (n, h, f, f) = {(n, h, f, f)} to match spatial "
            f"{tuple(spatial.shape)}, got {tuple(temporal.shape)}"
        )
