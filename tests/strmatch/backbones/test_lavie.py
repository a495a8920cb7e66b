"""The UNet of LaVie compared with the official outputs, checkpoint names and plain loops."""

import hashlib
import json
import math
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from strmatch.attention import record_attention
from strmatch.backbones.lavie import LaVieUNet
from tests.strmatch.backbones.lean import check_lean

TINY: dict[str, Any] = {
    "sample_size": 8,
    "block_out_channels": (32, 64),
    "down_block_types": ("CrossAttnDownBlock3D", "CrossAttnDownBlock3D"),
    "up_block_types": ("CrossAttnUpBlock3D", "CrossAttnUpBlock3D"),
    "layers_per_block": 1,
    "cross_attention_dim": 16,
    "attention_head_dim": (1, 2),
}
WEIGHTS = "diffusion_pytorch_model.safetensors"

# sha256 of the sorted lines "name shape" of the official full-size checkpoint.
OFFICIAL_KEYS = 830
OFFICIAL_DIGEST = "259a5325ae5c5429280c1f42abc9fd59a57899e0acdb0b43b9ab8a87152881b2"

PINNED = [
    [-1.5526321785, -1.2692623145, -0.3617495190, 0.8531384113],
    [-2.2652698168, -1.2463653220, 0.3902113814, 2.1216579839],
]


def make_unet(seed: int = 0, **changes: Any) -> LaVieUNet:
    """A tiny UNet in which every branch contributes to the output."""
    torch.manual_seed(seed)
    unet = LaVieUNet(**TINY | changes).eval()
    for name, parameter in unet.named_parameters():
        if name.endswith("attn_temp.to_out.0.weight"):
            nn.init.xavier_uniform_(parameter)
    return unet


def make_inputs(
    *, frames: int = 5, height: int = 8, width: int = 8, text_width: int = 16
) -> tuple[Tensor, int, Tensor]:
    torch.manual_seed(1)
    return torch.randn(2, 4, frames, height, width), 500, torch.randn(2, 7, text_width)


def attention_modules(unet: LaVieUNet) -> dict[str, nn.Module]:
    return {
        f"{name}.{kind}": getattr(block, kind)
        for level in range(unet.num_levels)
        for name, block in unet.attention_blocks(level).items()
        for kind in ("attn1", "attn2", "attn_temp")
    }


@pytest.fixture(scope="module")
def full_size() -> LaVieUNet:
    with torch.device("meta"):
        return LaVieUNet()


# The official class


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    """Weights, inputs, output and maps of the official class, too large for the repository."""
    path = os.environ.get("STRMATCH_GOLDEN")
    if not path:
        pytest.skip("set STRMATCH_GOLDEN to a safetensors file of the official class's numbers")
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        config = json.loads(file.metadata()["config"])
    unet = LaVieUNet(**config).eval()
    unet.load_state_dict(
        {name.removeprefix("sd/"): t for name, t in tensors.items() if name.startswith("sd/")}
    )
    maps = {name.removeprefix("map/"): t for name, t in tensors.items() if name.startswith("map/")}
    return tensors | {"unet": unet, "maps": maps}


@torch.no_grad()
def test_the_output_equals_that_of_the_official_class(golden: dict[str, Any]) -> None:
    output = golden["unet"](golden["x"], golden["t"], golden["c"])
    assert (output - golden["y"]).abs().max() < 1e-4 * golden["y"].abs().max()


@torch.no_grad()
def test_the_maps_equal_those_of_the_official_class(golden: dict[str, Any]) -> None:
    unet, expected = golden["unet"], golden["maps"]
    assert {name.rpartition(".")[2] for name in expected} == {"attn1", "attn_temp"}
    with record_attention({name: unet.get_submodule(name) for name in expected}) as maps:
        unet(golden["x"], golden["t"], golden["c"])
    for name, probabilities in expected.items():
        actual = maps[name].reshape(probabilities.shape)  # the official maps may have no head axis
        torch.testing.assert_close(actual, probabilities, rtol=0, atol=1e-5)


def test_the_maps_of_an_interrupted_pass_equal_those_of_the_official_class(
    golden: dict[str, Any],
) -> None:
    unet, expected = golden["unet"].requires_grad_(False), golden["maps"]
    modules = {name: unet.get_submodule(name) for name in expected}
    inputs = (golden["x"], golden["t"], golden["c"])
    with torch.no_grad(), record_attention(modules, leave=True) as maps:
        unet(*inputs)
    for name, probabilities in expected.items():
        actual = maps[name].reshape(probabilities.shape)
        torch.testing.assert_close(actual, probabilities, rtol=0, atol=1e-5)
    assert_leaving_changes_nothing(unet, modules, *inputs)


def test_full_size_names_and_shapes_equal_those_of_the_checkpoint(full_size: LaVieUNet) -> None:
    lines = sorted(f"{name} {tuple(t.shape)}" for name, t in full_size.state_dict().items())
    assert len(lines) == OFFICIAL_KEYS
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == OFFICIAL_DIGEST


@torch.no_grad()
def test_the_output_equals_the_pinned_values() -> None:
    """Values for clones without the golden file, recorded when they matched the file."""
    unet = LaVieUNet(**TINY).double()

    def waves(*shape: int, phase: float) -> Tensor:
        steps = torch.arange(math.prod(shape), dtype=torch.float64)
        return (0.7 * steps + phase).sin().reshape(shape)

    for i, (_, parameter) in enumerate(sorted(unet.named_parameters())):
        fan_in = math.prod(parameter.shape[1:])
        parameter.copy_(waves(*parameter.shape, phase=i) * (2 / fan_in) ** 0.5)
    sample = waves(2, 4, 5, 8, 6, phase=0.3) * torch.linspace(0.5, 1.5, 5)[:, None, None]
    output = unet(sample, torch.tensor([500, 20]), waves(2, 7, 16, phase=0.6))
    actual = torch.stack((output[0, :, 1, 2, 3], output[1, :, 4, 7, 5]))
    expected = torch.tensor(PINNED, dtype=torch.float64)
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-8)


def test_temporal_branches_contribute_nothing_at_construction() -> None:
    for name, parameter in LaVieUNet(**TINY).named_parameters():
        if name.endswith("to_out.0.weight"):
            assert bool(parameter.any()) == ("attn_temp" not in name), name


@torch.no_grad()
def test_frames_interact_in_temporal_attention_and_in_the_resnet_norms() -> None:
    sample, timestep, text = make_inputs()
    unet = make_unet()
    order = torch.tensor([2, 0, 1, 4, 3])
    shuffled = unet(sample[:, :, order], timestep, text)
    assert (shuffled - unet(sample, timestep, text)[:, :, order]).abs().max() > 1e-4

    silent = LaVieUNet(**TINY).eval()
    whole = silent(sample, timestep, text)
    shuffled = silent(sample[:, :, order], timestep, text)
    torch.testing.assert_close(shuffled, whole[:, :, order], rtol=0, atol=1e-5)
    frame_alone = silent(sample[:, :, :1], timestep, text)
    assert (frame_alone - whole[:, :, :1]).abs().max() > 1e-4


# Attention maps and their places


@torch.no_grad()
def test_a_probed_pass_equals_the_fused_pass() -> None:
    unet, (sample, timestep, text) = make_unet(), make_inputs()
    fused = unet(sample, timestep, text)
    with record_attention(attention_modules(unet)) as maps:
        probed = unet(sample, timestep, text)
    torch.testing.assert_close(probed, fused, rtol=0, atol=1e-5)
    for level, heads, n in ((0, 1, 64), (1, 2, 16)):
        for name in unet.attention_blocks(level):
            assert maps[f"{name}.attn1"].shape == (2 * 5, heads, n, n)
            assert maps[f"{name}.attn2"].shape == (2, heads, 5 * n, 7)
            assert maps[f"{name}.attn_temp"].shape == (2 * n, heads, 5, 5)
    for probabilities in maps.values():
        torch.testing.assert_close(probabilities.sum(-1), torch.ones(probabilities.shape[:-1]))


@torch.no_grad()
def test_the_batch_axis_of_the_maps_is_ordered_by_clip_first() -> None:
    """The order is by clip, then by frame (spatial maps) or by position (temporal maps)."""
    unet, (sample, timestep, text) = make_unet(), make_inputs()
    with record_attention(attention_modules(unet)) as both:
        unet(sample, timestep, text)
    with record_attention(attention_modules(unet)) as second:
        unet(sample[1:], timestep, text[1:])
    for name, probabilities in second.items():
        torch.testing.assert_close(both[name].chunk(2)[1], probabilities, rtol=0, atol=1e-5)


def test_maps_and_gradients_of_an_interrupted_pass_equal_those_of_a_full_pass() -> None:
    unet, (sample, timestep, text) = make_unet().requires_grad_(False), make_inputs()
    modules = {
        f"{name}.{kind}": getattr(block, kind)
        for name, block in unet.attention_blocks(1).items()
        for kind in ("attn1", "attn_temp")
    }
    assert_leaving_changes_nothing(unet, modules, sample, timestep, text)


def assert_leaving_changes_nothing(
    unet: LaVieUNet, modules: dict[str, nn.Module], sample: Tensor, timestep: Any, text: Tensor
) -> None:
    results = []
    for leave in (False, True):
        x = sample.clone().requires_grad_()
        with record_attention(modules, leave=leave) as maps:
            unet(x, timestep, text)
        (gradient,) = torch.autograd.grad(sum(m.square().sum() for m in maps.values()), x)
        results.append({**maps, "gradient": gradient})
    whole, left = results
    assert whole.keys() == left.keys() and whole["gradient"].abs().max() > 0
    for name, tensor in whole.items():
        torch.testing.assert_close(left[name], tensor, rtol=0, atol=1e-5)


@pytest.mark.parametrize("level", [0, 1])
def test_a_lean_pass_stores_less_and_gives_the_same_gradient(level: int) -> None:
    unet, (sample, timestep, text) = make_unet().requires_grad_(False), make_inputs()
    check_lean(unet, sample, timestep, text, level, atol=1e-6)


@torch.no_grad()
def test_a_sample_shared_by_several_texts_equals_a_repeated_sample() -> None:
    unet, (sample, timestep, text) = make_unet(), make_inputs()
    ran = []
    unet.down_blocks[0].resnets[0].register_forward_hook(lambda *call: ran.append(len(call[2])))
    shared = unet(sample[:1], timestep, text)
    repeated = unet(sample[:1].repeat(2, 1, 1, 1, 1), timestep, text)
    torch.testing.assert_close(shared, repeated, rtol=0, atol=1e-5)
    assert (shared[0] - shared[1]).abs().max() > 1e-4
    assert ran == [1, 2]


def test_the_attention_blocks_of_lavie(full_size: LaVieUNet) -> None:
    def names(stage: str, count: int) -> list[str]:
        return [f"{stage}.attentions.{i}.transformer_blocks.0" for i in range(count)]

    expected = [
        names("down_blocks.0", 2) + names("up_blocks.3", 3),
        names("down_blocks.1", 2) + names("up_blocks.2", 3),
        names("down_blocks.2", 2) + names("up_blocks.1", 3),
        names("mid_block", 1),
    ]
    assert full_size.num_levels == len(expected)
    for level, blocks in enumerate(expected):
        found = full_size.attention_blocks(level)
        assert list(found) == blocks
        assert all(full_size.get_submodule(name) is block for name, block in found.items())
    assert full_size.attention_blocks(4) == full_size.attention_blocks(-1) == {}


@torch.no_grad()
def test_attention_blocks_come_in_order_of_execution() -> None:
    unet = make_unet()
    modules = attention_modules(unet)
    with record_attention(modules) as maps:
        unet(*make_inputs())
    executed = [name for name in maps if name.endswith("attn1")]
    for level in range(unet.num_levels):
        names = [f"{name}.attn1" for name in unet.attention_blocks(level)]
        assert names == [name for name in executed if name in names]


# Sizes, types and timesteps


@torch.no_grad()
def test_a_unet_of_three_levels_has_attention_at_each() -> None:
    unet = make_unet(
        block_out_channels=(64, 128, 128),
        down_block_types=("CrossAttnDownBlock3D",) * 3,
        up_block_types=("CrossAttnUpBlock3D",) * 3,
        attention_head_dim=(2, 4, 4),
        cross_attention_dim=128,
    )
    assert [len(unet.attention_blocks(level)) for level in range(3)] == [3, 3, 4]
    inputs = make_inputs(frames=3, text_width=128)
    assert unet(*inputs).shape == inputs[0].shape


@pytest.mark.parametrize("levels", [2, 3, 4])
@pytest.mark.parametrize(("height", "width"), [(5, 7), (8, 6), (9, 16)])
@torch.no_grad()
def test_odd_sizes_are_supported(levels: int, height: int, width: int) -> None:
    unet = make_unet(
        block_out_channels=(32,) * levels,
        down_block_types=("DownBlock3D",) * levels,
        up_block_types=("UpBlock3D",) * levels,
        attention_head_dim=1,
    )
    inputs = make_inputs(frames=2, height=height, width=width)
    output = unet(*inputs)
    assert output.shape == inputs[0].shape
    assert output.isfinite().all()


@pytest.mark.parametrize("frames", [1, 2, 17])
@torch.no_grad()
def test_any_number_of_frames_is_supported(frames: int) -> None:
    inputs = make_inputs(frames=frames, height=4, width=4)
    assert make_unet()(*inputs).shape == inputs[0].shape


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(torch.float32, 1e-5), (torch.float16, 1e-2), (torch.bfloat16, 6e-2)],
)
@torch.no_grad()
def test_lower_precisions_approximate_double(dtype: torch.dtype, tolerance: float) -> None:
    unet, (sample, timestep, text) = make_unet(), make_inputs()
    exact = unet.double()(sample.double(), timestep, text.double())
    assert exact.dtype == torch.float64
    output = unet.to(dtype)(sample.to(dtype), timestep, text.to(dtype))
    assert output.dtype == dtype
    assert (output - exact).abs().max() < tolerance * exact.abs().max()


@torch.no_grad()
def test_timesteps_are_accepted_as_numbers_and_tensors() -> None:
    unet, (sample, _, text) = make_unet(), make_inputs()
    plain = unet(sample, 500, text)
    for timestep in (torch.tensor(500), torch.tensor([500]), torch.tensor([500, 500]), 500.0):
        assert torch.equal(unet(sample, timestep, text), plain)
    mixed = unet(sample, torch.tensor([500, 20]), text)
    torch.testing.assert_close(mixed[0], plain[0], rtol=0, atol=1e-5)
    torch.testing.assert_close(mixed[1], unet(sample, 20, text)[1], rtol=0, atol=1e-5)
    assert (mixed[1] - plain[1]).abs().max() > 1e-4


def test_gradients_of_the_maps_reach_the_latents() -> None:
    unet, (sample, timestep, text) = make_unet().requires_grad_(False), make_inputs()
    sample.requires_grad_()
    with record_attention(attention_modules(unet)) as maps:
        unet(sample, timestep, text)
    for probabilities in maps.values():
        (gradient,) = torch.autograd.grad(probabilities.square().sum(), sample, retain_graph=True)
        assert gradient.abs().max() > 0


# Folders


def test_a_saved_folder_is_loaded_unchanged(tmp_path: Path) -> None:
    unet, inputs = make_unet(), make_inputs()
    unet.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["_class_name"] == "LaVieUNet"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", WEIGHTS]

    loaded, report = LaVieUNet.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report.values())
    assert loaded.num_levels == unet.num_levels
    with torch.no_grad():
        assert torch.equal(loaded(*inputs), unet(*inputs))


def drop_one(weights: dict[str, Tensor]) -> None:
    del weights["mid_block.attentions.0.transformer_blocks.0.attn_temp.to_q.weight"]


def add_one(weights: dict[str, Tensor]) -> None:
    weights["mid_block.extra"] = torch.zeros(1)


def reshape_one(weights: dict[str, Tensor]) -> None:
    weights["conv_in.weight"] = torch.zeros(32, 5, 3, 3)


@pytest.mark.parametrize(
    ("spoil", "key"),
    [(drop_one, "attn_temp.to_q.weight"), (add_one, "extra"), (reshape_one, "conv_in.weight")],
)
@pytest.mark.parametrize("low_cpu_mem_usage", [True, False])
def test_weights_of_other_names_or_shapes_are_refused(
    tmp_path: Path, spoil: Any, key: str, low_cpu_mem_usage: bool
) -> None:
    make_unet().save_pretrained(tmp_path)
    weights = load_file(tmp_path / WEIGHTS)
    spoil(weights)
    save_file(weights, tmp_path / WEIGHTS, {"format": "pt"})
    with pytest.raises((ValueError, RuntimeError), match=key):
        LaVieUNet.from_pretrained(tmp_path, low_cpu_mem_usage=low_cpu_mem_usage)
    with pytest.raises(RuntimeError, match=key):
        make_unet().load_state_dict(weights)


# Arguments


@pytest.mark.parametrize(
    ("changes", "argument"),
    [
        ({"block_out_channels": ()}, "block_out_channels"),
        ({"block_out_channels": (32, 72)}, "block_out_channels"),
        ({"block_out_channels": (32, 64, 64)}, "down_block_types"),
        ({"down_block_types": ("CrossAttnDownBlock3D", "DownBlock2D")}, "down_block_types"),
        ({"up_block_types": ("CrossAttnUpBlock3D",)}, "up_block_types"),
        ({"up_block_types": TINY["down_block_types"]}, "up_block_types"),
        ({"attention_head_dim": (1, 2, 2)}, "attention_head_dim"),
        ({"attention_head_dim": 2}, "attention_head_dim"),
        ({"attention_head_dim": 0}, "attention_head_dim"),
        ({"block_out_channels": (32, 96), "attention_head_dim": (1, 5)}, "attention_head_dim"),
        ({"layers_per_block": 0}, "layers_per_block"),
    ],
)
def test_invalid_arguments_are_refused(changes: dict[str, Any], argument: str) -> None:
    with pytest.raises(ValueError, match=f"^{argument}"):
        LaVieUNet(**TINY | changes)


def test_the_number_of_heads_is_checked_only_at_levels_with_attention() -> None:
    types = {
        "down_block_types": ("DownBlock3D", "CrossAttnDownBlock3D"),
        "up_block_types": ("CrossAttnUpBlock3D", "UpBlock3D"),
    }
    unet = LaVieUNet(**TINY | types | {"attention_head_dim": 2})
    assert [len(unet.attention_blocks(level)) for level in (0, 1)] == [0, 4]
