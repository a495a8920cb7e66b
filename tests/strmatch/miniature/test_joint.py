import pytest
import torch

from strmatch.miniature.joint import make_flow_scheduler, make_transformer


@pytest.fixture(scope="module")
def transformer():
    torch.manual_seed(0)
    return make_transformer()


def test_the_transformer_has_three_to_eight_million_parameters(transformer):
    assert 3e6 < sum(parameter.numel() for parameter in transformer.parameters()) < 8e6


@pytest.mark.parametrize("frames", [1, 16])
def test_an_untrained_transformer_predicts_nothing_for_any_number_of_frames(transformer, frames):
    latents, text = torch.randn(1, 4, frames, 16, 16), torch.randn(1, 32, 128)
    with torch.no_grad():
        output = transformer(latents, torch.tensor([500.0]), text).sample
    assert output.shape == latents.shape and output.count_nonzero() == 0


def test_every_residual_branch_starts_to_learn_after_the_output_layer(transformer):
    with torch.no_grad():
        transformer.proj_out.weight.normal_(std=0.1)
    latents, text = torch.randn(2, 4, 2, 16, 16), torch.randn(2, 32, 128)
    transformer(latents, torch.tensor([300.0, 900.0]), text).sample.square().sum().backward()
    for block in transformer.blocks:
        for end in (block.attn1.to_out[0], block.attn2.to_out[0], block.ffn.net[-1]):
            assert end.weight.grad.count_nonzero() > 0


def test_labels_of_the_scheduler_are_the_noise_levels():
    scheduler = make_flow_scheduler()
    scheduler.set_timesteps(10)
    torch.testing.assert_close(scheduler.timesteps, 1000 * scheduler.sigmas[:-1])
    assert scheduler.sigmas[0] == 1 and scheduler.sigmas[-1] == 0
