"""The quantity that one step of Algorithm 1 descends, on a given backbone."""

from collections.abc import Sequence

import torch
from torch import Tensor

from strmatch.backbones.base import Backbone
from strmatch.loss import make_objective
from strmatch.settings import EditSettings


class Matcher:
    """Compares a target's attention with the source's at one noise level."""

    def __init__(self, backbone: Backbone, settings: EditSettings) -> None:
        self.backbone = backbone
        self.levels = settings.scored_levels
        self.temporal = settings.temporal_attention
        self.objective = make_objective(settings)

    def features(self, latents: Tensor, timestep: int, embedding: Tensor) -> list[Tensor]:
        """What the objective looks at, layer by layer (Ω for the STR score).

        Args:
            latents: (1, c, f, h, w).
            timestep: the noise level's label.
            embedding: (1, tokens, d) of the prompt.
        """
        maps = self.backbone.attention_maps(
            latents, timestep, embedding, self.levels, self.temporal
        )
        return self.objective.features(maps)

    def loss_and_gradient(
        self,
        latents: Tensor,
        timestep: int,
        embeddings: Sequence[Tensor],
        source_features: Sequence[Tensor],
    ) -> tuple[Tensor, Tensor]:
        """L of Eq. 5, summed over the target's `embeddings`, and its gradient at `latents`.

        Returns:
            The scalar loss and ∇_{z_t} L of the latents' shape, both detached.
        """
        with torch.enable_grad():
            latents = latents.detach().requires_grad_()
            losses = [
                self.objective.distance(source_features, self.features(latents, timestep, e))
                for e in embeddings
            ]
            loss = torch.stack(losses).sum()
            (gradient,) = torch.autograd.grad(loss, latents)
        return loss.detach(), gradient
