import pytest
import torch

from jobs.training.autoencoder import reconstruction_loss, standardise
from jobs.training.batches import draw_scenes
from jobs.training.loop import fit
from jobs.training.recipe import Phase
from jobs.training.workers import Worker
from strmatch.inputs import to_unit_range
from strmatch.miniature.model import make_vae
from strmatch.miniature.world import render


def make():
    torch.manual_seed(0)
    return make_vae()


@pytest.mark.slow
def test_sixty_steps_improve_the_round_trip(tmp_path):
    vae = make()
    phase = Phase(
        steps=60, batch=4, warmup=5, learning_rate=2e-3, final_learning_rate=1e-4, ema=0.9
    )
    loss = reconstruction_loss(vae, phase.batch, "cpu")
    before = float(loss(0, torch.Generator().manual_seed(9)).detach())
    fit("vae", vae, lambda: loss, phase, Worker(), tmp_path, 0, lambda line: None)
    assert float(loss(0, torch.Generator().manual_seed(9)).detach()) < 0.9 * before


@torch.no_grad()
@pytest.mark.slow
def test_standardised_latents_decode_to_what_they_did_before():
    vae = make()
    vae.quant_conv.bias[:4] += torch.tensor([1.0, -2.0, 0.5, 3.0])
    frames = to_unit_range(render(draw_scenes(64, torch.Generator().manual_seed(5)), 2).frames)
    images = frames.flatten(0, 1)
    before = vae.encode(images).latent_dist
    decoded = vae.decode(before.mean[:2]).sample

    standardise(vae, seed=0, device="cpu")
    after = vae.encode(images).latent_dist
    assert after.mean.mean(dim=(0, 2, 3)).abs().max() < 0.1
    assert (after.mean.std(dim=(0, 2, 3)) - 1).abs().max() < 0.1
    torch.testing.assert_close(vae.decode(after.mean[:2]).sample, decoded, atol=1e-4, rtol=1e-3)
    # The posterior is the same one, moved and scaled: so are its standard deviations.
    ratio = after.std / before.std
    scale = after.mean.std(dim=(0, 2, 3)) / before.mean.std(dim=(0, 2, 3))
    torch.testing.assert_close(ratio, scale[None, :, None, None].expand_as(ratio))
