import pytest
import torch
from torch import nn

from strmatch.attention import attend, exchange_attention, record_attention
from strmatch.backbones.lavie import LaVieUNet


class Layer(nn.Module):
    """A linear map and self-attention of x (1, 1, n, d)."""

    def __init__(self):
        super().__init__()
        self.linear, self.passes = nn.Linear(6, 6), 0
        self.probe = self.exchange = None

    def forward(self, x):
        self.passes += 1
        x = self.linear(x)
        return attend(x, x, x, scale=0.5, probe=self.probe, exchange=self.exchange)


@pytest.fixture
def chain():
    torch.manual_seed(0)
    return nn.Sequential(Layer(), Layer(), Layer()).double()


def test_probed_attention_equals_the_fused_kernel():
    query, key, value = torch.randn(3, 2, 4, 5, 6, dtype=torch.float64)
    bias = torch.randn(5, 5, dtype=torch.float64)
    seen = []
    fused = attend(query, key, value, scale=0.3, bias=bias)
    torch.testing.assert_close(
        attend(query, key, value, scale=0.3, bias=bias, probe=seen.append), fused
    )
    expected = (query @ key.transpose(-1, -2) * 0.3 + bias).softmax(-1)
    torch.testing.assert_close(seen[0], expected)


def test_probed_attention_in_float16_has_the_range_of_the_scaled_logits():
    """The products are up to 102,400, beyond float16. The scaled logits are up to 12,800."""
    generator = torch.Generator().manual_seed(0)
    query, key = 40 * torch.randint(0, 2, (2, 1, 1, 5, 64), generator=generator).double()
    query[..., 0, :], key[..., 3, :] = 40, 40
    value = torch.randn(1, 1, 5, 8, generator=generator).double()
    maps = []
    for dtype in (torch.float64, torch.float16):
        given = (x.to(dtype) for x in (query, key, value))
        attend(*given, scale=0.125, probe=maps.append)
    assert (query @ key.transpose(-1, -2)).max() > torch.finfo(torch.float16).max
    torch.testing.assert_close(maps[1].double(), maps[0], rtol=0, atol=1e-3)


def test_exchanged_tensors_are_used_in_attention_and_in_its_map(chain):
    x, other = torch.randn(2, 1, 1, 4, 6, dtype=torch.float64)
    maps = []

    def exchange(query, key, value):
        assert torch.equal(query, chain[0].linear(x))
        return query, other, value

    chain[0].probe = maps.append
    with exchange_attention([(chain[0], exchange)]):
        actual = chain[0](x)
    query = value = chain[0].linear(x)
    expected = (0.5 * query @ other.transpose(-1, -2)).softmax(-1)
    torch.testing.assert_close(maps[0], expected)
    torch.testing.assert_close(actual, expected @ value)
    assert chain[0].exchange is None


def test_an_interrupted_pass_gives_the_maps_and_gradients_of_a_full_pass(chain):
    results = []
    for leave in (False, True):
        x = torch.linspace(-1, 1, 24, dtype=torch.float64).view(1, 1, 4, 6).requires_grad_()
        with record_attention({"a": chain[0], "b": chain[1]}, leave=leave) as maps:
            chain(x)
        sum((maps[name] ** 2).sum() for name in "ab").backward()
        results.append((maps["a"], maps["b"], x.grad))
    for whole, left in zip(*results, strict=True):
        assert torch.equal(whole, left)
    assert chain[2].passes == 1  # of the full pass


def test_other_errors_propagate_and_remove_the_probes(chain):
    with pytest.raises(RuntimeError), record_attention({"a": chain[0]}, leave=True):
        chain[0](torch.zeros(1, 1, 4, 5, dtype=torch.float64))
    assert chain[0].probe is None


def test_decoder_levels_finer_than_the_scored_ones_are_not_run():
    torch.manual_seed(0)
    unet = LaVieUNet(
        sample_size=8,
        block_out_channels=(32, 64),
        down_block_types=("CrossAttnDownBlock3D",) * 2,
        up_block_types=("CrossAttnUpBlock3D",) * 2,
        layers_per_block=1,
        cross_attention_dim=16,
        attention_head_dim=(1, 2),
    )
    ran = []
    unet.up_blocks[1].resnets[0].register_forward_hook(lambda *_: ran.append(1))
    blocks = unet.attention_blocks(1)
    modules = {f"{n}.{k}": getattr(b, k) for n, b in blocks.items() for k in ("attn1", "attn_temp")}
    for leave, runs in ((False, 1), (True, 1)):
        with record_attention(modules, leave=leave) as maps:
            unet(torch.randn(1, 4, 3, 8, 8), 5, torch.randn(1, 7, 16))
        assert maps.keys() == modules.keys()
        assert len(ran) == runs
