"""Queries and keys of the real classes of diffusers: the same output, and the same attention."""

import itertools

import pytest
import torch
import torch.nn.functional as F

from strmatch.attention import JointChoice
from strmatch.backbones.joint.denoisers import make_denoiser
from strmatch.backbones.joint.recording import record_queries_and_keys
from strmatch.backbones.joint.slices import joint_maps
from strmatch.backbones.recomputation import recomputed
from tests.strmatch.backbones.joint.tiny import TEXT_WIDTH, tiny_cogvideox, tiny_wan

MODELS = {
    "wan": tiny_wan,
    "cogvideox with rotary positions": lambda: tiny_cogvideox(text_tokens=5),
    "cogvideox without": lambda: tiny_cogvideox(rotary=False, text_tokens=5),
}


@pytest.fixture(scope="module", params=MODELS)
def denoiser(request):
    return make_denoiser(MODELS[request.param]().double())


@pytest.fixture
def inputs():
    torch.manual_seed(1)
    latents = torch.randn(1, 4, 3, 4, 6, dtype=torch.float64)
    return latents, torch.tensor([500]), torch.randn(1, 5, TEXT_WIDTH, dtype=torch.float64)


def attentions(denoiser, *blocks):
    return {block: denoiser.blocks[block].attn1 for block in blocks}


def test_the_output_is_bit_equal_and_the_modules_are_as_before(denoiser, inputs):
    expected = denoiser(*inputs)
    with record_queries_and_keys(attentions(denoiser, 0, 1, 2, 3)) as pairs:
        assert torch.equal(denoiser(*inputs), expected)
    assert sorted(pairs) == [0, 1, 2, 3]
    assert all("forward" not in vars(block.attn1) for block in denoiser.blocks)
    assert torch.equal(denoiser(*inputs), expected)


def test_maps_equal_the_softmax_by_which_the_attention_weighs_its_values(denoiser, inputs):
    """The attention of diffusers weighs values that are one-hot, which makes its output P."""
    blocks = attentions(denoiser, 2)
    joint = []
    fused = F.scaled_dot_product_attention

    def weigh(module, args, kwargs):
        def whole(query, key, value, **options):
            identity = torch.eye(key.shape[-2], dtype=key.dtype).expand(*key.shape[:2], -1, -1)
            joint.append(fused(query, key, identity))
            return fused(query, key, value, **options)

        F.scaled_dot_product_attention = whole

    def restore(module, args, output):
        F.scaled_dot_product_attention = fused

    hooks = [
        blocks[2].register_forward_pre_hook(weigh, with_kwargs=True),
        blocks[2].register_forward_hook(restore),
    ]
    try:
        denoiser(*inputs)
    finally:
        F.scaled_dot_product_attention = fused
        for hook in hooks:
            hook.remove()
    with record_queries_and_keys(blocks, leave=True) as pairs:
        denoiser(*inputs)
    grid = denoiser.grid(inputs[0], inputs[2])
    maps = joint_maps(pairs[2][0][0], pairs[2][1][0], grid, JointChoice(slices="joint"))
    sizes = (grid.frames, grid.positions)
    (whole,) = joint
    whole = whole[0, :, grid.text :, grid.text :].unflatten(2, sizes).unflatten(1, sizes)
    assert whole.max() > 0.1 > whole.mean()
    for i in range(grid.frames):
        torch.testing.assert_close(maps.spatial[i], whole[:, i, :, i], rtol=0, atol=1e-9)
    for p in range(grid.positions):
        torch.testing.assert_close(maps.temporal[p], whole[:, :, p, :, p], rtol=0, atol=1e-9)


def test_a_pass_ends_before_the_last_recorded_attention_runs(denoiser, inputs):
    ran = []
    hooks = [
        block.attn1.to_out[0].register_forward_hook(lambda *_, n=n: ran.append(n))
        for n, block in enumerate(denoiser.blocks)
    ]
    with record_queries_and_keys(attentions(denoiser, 0, 2), leave=True) as pairs:
        denoiser(*inputs)
    for hook in hooks:
        hook.remove()
    assert ran == [0, 1] and sorted(pairs) == [0, 2]


def test_early_exit_and_recomputation_give_the_maps_and_gradients_of_a_full_pass(denoiser, inputs):
    latents, timestep, text = inputs
    maps, gradients, kept = [], [], []
    for leave, lean in ((False, False), (True, False), (True, True)):
        sizes = []

        def keep(tensor, sizes=sizes):
            sizes.append(tensor.nbytes)
            return tensor

        z = latents.clone().requires_grad_()
        with (
            torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
            recomputed(denoiser.blocks[:2] if lean else ()),
            record_queries_and_keys(attentions(denoiser, 1, 2), leave) as pairs,
        ):
            denoiser(z, timestep, text)
        found = [
            each
            for block in (1, 2)
            for each in joint_maps(
                *(each[0] for each in pairs[block]), denoiser.grid(z, text), JointChoice()
            )
        ]
        loss = sum((each * torch.arange(each.numel()).view_as(each).sin()).sum() for each in found)
        gradients.append(torch.autograd.grad(loss, z)[0])
        maps.append(found)
        kept.append(sum(sizes))
    assert gradients[0].abs().max() > 1e-4
    for other, gradient in zip(maps[1:], gradients[1:], strict=True):
        torch.testing.assert_close(gradient, gradients[0], rtol=1e-5, atol=1e-8)
        for a, b in itertools.zip_longest(other, maps[0]):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-12)
    assert kept[2] < 0.5 * kept[1] < 0.5 * kept[0]


def test_an_attention_by_another_kernel_is_refused(denoiser, inputs, monkeypatch):
    blocks = attentions(denoiser, 1)
    monkeypatch.setattr(blocks[1], "processor", lambda attention, *args, **kwargs: args[:2])
    message = "block 1 does not call scaled_dot_product_attention"
    with pytest.raises(ValueError, match=message), record_queries_and_keys(blocks):
        blocks[1](*inputs[:1])
