"""The loss of one step of Algorithm 1 and its gradient, on a given backbone."""

from collections.abc import Hashable, Iterable, Iterator, Sequence

import torch
from torch import Tensor

from strmatch.attention import JointChoice, LayerMaps, MapChoice, Relevance
from strmatch.backbones.base import Backbone
from strmatch.gradient import scaled_gradient
from strmatch.loss import make_objective
from strmatch.sampling.fusion import fuse, of_window
from strmatch.sampling.windows import Window
from strmatch.settings import EditSettings


def map_choice(settings: EditSettings) -> MapChoice:
    """The attention maps that the settings score."""
    levels = None if settings.scored_levels is None else tuple(settings.scored_levels)
    joint = JointChoice(
        settings.slices,
        settings.temporal_neighbourhood,
        settings.heads == "separated",
        settings.radius if settings.slices == "direct" else 1,
    )
    return MapChoice(levels, settings.temporal_attention, settings.heads == "mean", joint)


class Matcher:
    """Compares the attention of target and source at one noise level.

    Args:
        backbone: see `strmatch.load_backbone`.
        settings: settings of the edit.
        lean: recompute activations in the backward pass (gradient checkpointing).
    """

    def __init__(self, backbone: Backbone, settings: EditSettings, lean: bool = False) -> None:
        self.backbone = backbone
        self.lean = lean
        self.choice = map_choice(settings)
        self.objective = make_objective(settings, backbone.compiled)
        self.kind: Hashable = (self.choice, settings.objective, settings.radius)
        """Matchers of equal kind compute equal features."""

    @torch.no_grad()
    def features(self, latents: Tensor, timestep: float, embedding: Tensor) -> list[Tensor]:
        """Features of the objective, one tensor per scored block (Ω for the STR score).

        Args:
            latents: (1, c, f, h, w).
            timestep: timestep label of the noise level.
            embedding: (1, tokens, d), prompt.
        """
        maps = self.backbone.attention_maps(latents, timestep, embedding, self.choice)
        return [self.objective.feature(block) for block in maps]

    @torch.no_grad()
    def prediction_and_features(
        self, latents: Tensor, timestep: float, embedding: Tensor
    ) -> tuple[Tensor, list[Tensor]]:
        """The prediction (1, c, f, h, w) and `features`, computed in one pass."""
        prediction, maps = self.backbone.predict_with_maps(
            latents, timestep, embedding, self.choice
        )
        return prediction, [self.objective.feature(block) for block in maps]

    def loss_and_gradient(
        self,
        latents: Tensor,
        timestep: float,
        embeddings: Sequence[Tensor],
        source_features: Sequence[Tensor],
    ) -> tuple[Tensor, Tensor]:
        """L of Eq. 5, summed over the target's `embeddings`, and its gradient at `latents`.

        Args:
            latents: (1, c, f, h, w).
            timestep: timestep label of the noise level.
            embeddings: (1, tokens, d) each.
            source_features: `features` of the source at the same noise level.

        Returns:
            The scalar loss and ∇_{z_t} L of the latents' shape, both detached.
        """
        latents = latents.detach().requires_grad_()
        loss, gradient = latents.new_zeros(()), torch.zeros_like(latents)
        for embedding in embeddings:
            with torch.enable_grad():
                maps = self.backbone.attention_maps(
                    latents, timestep, embedding, self.choice, self.lean
                )
            value, at_maps = self._loss_at_maps(maps, source_features)
            flat = [tensor for block in maps for tensor in block]
            loss = loss + value
            gradient = gradient + scaled_gradient(flat, at_maps, latents)
        return loss, gradient

    def fused_loss_and_gradient(
        self,
        latents: Tensor,
        timestep: float,
        embeddings: Sequence[Tensor],
        source_features: Iterable[Sequence[Tensor]],
        windows: Sequence[Window],
    ) -> tuple[Tensor, Tensor]:
        """`loss_and_gradient` of a clip in windows: Σ_k L_k, and the fused ∇L_k.

        With the weights w_k of the windows, the fused gradient at the latents z is that of
        L(δ) = Σ_k L_k(z_k + w_k ⊙ δ_k) at δ = 0, where z_k are the frames of window k.

        Args:
            latents: (1, c, f, h, w).
            timestep: timestep label of the noise level.
            embeddings: (1, tokens, d) each.
            source_features: `features` of the source by window. Consumed one by one.
            windows: windows of the clip.

        Returns:
            The scalar loss and the gradient of the latents' shape, both detached.
        """
        losses: list[Tensor] = []

        def gradients() -> Iterator[Tensor]:
            for window, wanted in zip(windows, source_features, strict=True):
                part = of_window(latents, window)
                loss, gradient = self.loss_and_gradient(part, timestep, embeddings, wanted)
                losses.append(loss)
                yield gradient

        gradient = fuse(windows, gradients())
        return torch.stack(losses).sum(), gradient

    def _loss_at_maps(
        self, maps: Sequence[LayerMaps | Relevance], source_features: Sequence[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """The loss and its gradients at all maps.

        Processes the blocks sequentially: the scores are the largest tensors of an edit, and only
        those of one block are in memory at a time. A joint loss needs a round before, without
        gradients, for the sums of its terms over all blocks.
        """
        objective = self.objective
        pairs = list(zip(source_features, maps, strict=True))
        if objective.joint:
            with torch.no_grad():
                totals = torch.stack([objective.terms(*pair) for pair in pairs]).sum(dim=0)
        losses: list[Tensor] = []
        gradients: list[Tensor] = []
        count = 0
        for source, block in pairs:
            leaves = type(block)(*(tensor.detach().requires_grad_() for tensor in block))
            with torch.enable_grad():
                terms = objective.terms(source, leaves)
                loss = terms.sum()
                if objective.joint:  # the gradient with the other blocks held constant
                    loss = objective.joint(totals + (terms - terms.detach()))
                gradients += torch.autograd.grad(loss, leaves)
            losses.append(loss.detach())
            count += len(terms)
        if objective.joint:
            return losses[-1], gradients
        loss = torch.stack(losses).sum()
        if objective.reduction == "mean":
            return loss / count, [gradient / count for gradient in gradients]
        return loss, gradients
