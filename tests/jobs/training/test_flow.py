from types import SimpleNamespace

import pytest
import torch
from diffusers import WanTransformer3DModel
from torch import nn

from jobs.training.bank import Bank
from jobs.training.flow import LABELS, flow_loss, usual_flow_error
from jobs.training.loop import make_optimizers
from jobs.training.workers import Worker
from tests.jobs.training.helpers import TOKENIZER, Listener, phase


class Oracle(nn.Module):
    """Knows the only clip there is, so that it can tell the velocity exactly."""

    def __init__(self, clean, off=0.0):
        super().__init__()
        self.clean, self.off, self.sigmas = clean, off, []

    def forward(self, noisy, timestep, text):
        self.sigmas += (timestep / LABELS).tolist()
        sigma = (timestep / LABELS).view(-1, 1, 1, 1, 1)
        return SimpleNamespace(sample=(noisy - self.clean) / sigma + self.off)


def only_clip(bank):
    return Bank(bank.latents[:1], bank.scenes[:1]), bank.latents[:1].float().transpose(1, 2)


@pytest.mark.parametrize("frames", [1, 4])
def test_the_loss_is_the_weighted_squared_error_of_the_velocity(bank, frames):
    bank = Bank(bank.latents[:, :frames], bank.scenes)
    one, clean = only_clip(bank)
    exact, off = Oracle(clean), Oracle(clean, off=0.5)
    losses = [
        flow_loss(oracle, Listener(), TOKENIZER, one, phase(frames=frames), 4, "cpu")
        for oracle in (exact, off)
    ]
    for step in range(8):
        assert float(losses[0](step, torch.Generator().manual_seed(step))) < 1e-6
        value = float(losses[1](step, torch.Generator().manual_seed(step)))
        alphas = [(1 - sigma) / ((1 - sigma) ** 2 + sigma**2) ** 0.5 for sigma in off.sigmas[-4:]]
        usual = [
            (0.04 + 0.55 / (1 + (alpha**2 / (1 - alpha**2)) * torch.e**5))
            / ((1 - sigma) ** 2 + sigma**2)
            for alpha, sigma in zip(alphas, off.sigmas[-4:], strict=True)
        ]
        assert value == pytest.approx(sum(0.25 / error for error in usual) / 4, rel=1e-3)


def test_an_error_of_the_clean_latents_weighs_the_same_in_both_parametrisations():
    sigma = torch.linspace(0.05, 0.95, 7, dtype=torch.float64)
    clean, wrong, noise = torch.randn(3, 7, dtype=torch.float64)
    noisy = (1 - sigma) * clean + sigma * noise
    velocity_error = ((noisy - wrong) / sigma - (noisy - clean) / sigma).square()
    root = ((1 - sigma).square() + sigma.square()).sqrt()
    alpha, scale = (1 - sigma) / root, sigma / root
    v_error = ((alpha * noisy / root - wrong) / scale - (alpha * noisy / root - clean) / scale) ** 2
    usual = 0.04 + 0.55 * torch.sigmoid(-5 - torch.logit(alpha.square()))
    torch.testing.assert_close(velocity_error / usual_flow_error(sigma), v_error / usual)


@pytest.mark.parametrize(("frames", "middle"), [(1, 0.5), (4, 2.2)])
def test_noise_levels_are_stratified_and_clips_have_more_noise(bank, frames, middle):
    one, clean = only_clip(Bank(bank.latents[:, :frames], bank.scenes))
    oracle = Oracle(clean)
    loss = flow_loss(oracle, Listener(), TOKENIZER, one, phase(frames=frames), 4, "cpu")
    half = float(torch.sigmoid(torch.tensor(middle)))
    for step in range(50):
        loss(step, torch.Generator().manual_seed(step))
        assert sum(sigma < half for sigma in oracle.sigmas[-4:]) == 2


def test_a_shown_frame_is_clean_and_has_no_loss(bank):
    one, clean = only_clip(bank)

    class OffWhereShown(Oracle):
        def forward(self, noisy, timestep, text):
            same = (noisy == clean).all(dim=(1, 3, 4))
            assert (same.sum(dim=1) == 1).all()
            output = super().forward(noisy, timestep, text).sample
            return SimpleNamespace(sample=output + 1e3 * same[:, None, :, None, None])

    loss = flow_loss(OffWhereShown(clean), Listener(), TOKENIZER, one, phase(shown=1.0), 4, "cpu")
    for step in range(8):
        assert float(loss(step, torch.Generator().manual_seed(step))) < 1e-5


def test_muon_trains_the_matrices_of_the_blocks_and_adamw_everything_else():
    with torch.device("meta"):
        model = nn.ModuleDict({"transformer": WanTransformer3DModel(num_layers=2)})
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    adamw, muon = make_optimizers(dict(model.named_parameters()), phase(optimizer="muon"), Worker())
    inner = {names[id(p)] for group in muon.param_groups for p in group["params"]}
    outer = {names[id(p)] for group in adamw.param_groups for p in group["params"]}
    blocks = {name for name in inner if name.startswith("transformer.blocks.")}
    assert len(blocks) == 2 * (4 + 4 + 2)  # both attentions' projections, both layers of the net
    assert inner - blocks == {
        f"transformer.condition_embedder.{name}.weight"
        for name in (
            *(f"time_embedder.linear_{layer}" for layer in (1, 2)),
            *(f"text_embedder.linear_{layer}" for layer in (1, 2)),
            "time_proj",
        )
    }
    assert inner | outer == set(names.values()) and not inner & outer
