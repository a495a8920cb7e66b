import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from strmatch import WeightsError
from strmatch.metrics.frame_consistency import FrameConsistency
from strmatch.metrics.interpolation.rife import RIFE
from tests.strmatch.metrics.clips import beside, panned

BLOCKS = {"block0": (7, 192), "block1": (12, 128), "block2": (12, 96), "block3": (12, 64)}
"""Channels and width, as published."""


def published() -> dict[str, torch.Tensor]:
    """Small random weights with the names and shapes of RIFE 4.0."""
    torch.manual_seed(0)
    shapes = {}
    for block, (channels, width) in BLOCKS.items():
        convolutions = {"conv0.0": (channels, width // 2), "conv0.1": (width // 2, width)}
        convolutions |= {f"convblock.{index}": (width, width) for index in range(8)}
        for name, (ins, outs) in convolutions.items():
            shapes |= {f"{block}.{name}.0.weight": (outs, ins, 3, 3)}
            shapes |= {f"{block}.{name}.0.bias": (outs,), f"{block}.{name}.1.weight": (outs,)}
        shapes |= {f"{block}.lastconv.weight": (width, 5, 4, 4), f"{block}.lastconv.bias": (5,)}
    tensors = {name: torch.randn(shape) for name, shape in shapes.items()}
    return {name: t / max(t[0].numel(), 4) ** 0.5 for name, t in tensors.items()}


def save(tensors, path):
    torch.save({f"module.{name}": tensor for name, tensor in tensors.items()}, path)
    return path


@pytest.fixture
def tensors():
    return published()


def with_constant_flows(tensors, first, second, logit, path):
    """Weights that give constant flows (x, y) to both frames and a constant logit for any input.

    A block at scale s adds 2 s times its bias to the flows, and its bias to the logit.
    """
    for block in BLOCKS:
        tensors[f"{block}.lastconv.weight"].zero_()
        flows = torch.tensor([*first, *second]) / (2 * (8 + 4 + 2 + 1))
        tensors[f"{block}.lastconv.bias"] = torch.cat([flows, torch.tensor([logit / 4])])
    return RIFE(save(tensors, path), "cpu")


def test_with_zero_flows_the_midpoint_is_the_average(tensors, tmp_path):
    rife = with_constant_flows(tensors, (0.0, 0.0), (0.0, 0.0), 0.0, tmp_path / "flownet.pkl")
    before, after = panned("noise", (50, 70), (3, 1), frames=4).reshape(2, 2, 50, 70, 3)
    middle = rife(before, after)
    assert (middle.shape, middle.dtype) == ((2, 50, 70, 3), np.uint8)
    assert np.abs(middle - (before / 2 + after / 2)).max() <= 0.51


def test_flows_point_right_and_down_in_pixels_and_the_logit_selects_a_frame(tensors, tmp_path):
    clip = panned("noise", (64, 96), (2, -1), frames=3)
    rife = with_constant_flows(tensors, (-2.0, 1.0), (2.0, -1.0), 0.0, tmp_path / "a.pkl")
    inside = np.s_[:, 4:-4, 4:-4]
    assert np.abs(rife(clip[:1], clip[2:])[inside] - clip[1:2][inside].astype(int)).max() <= 1
    rife = with_constant_flows(tensors, (0.0, 0.0), (9.0, 9.0), 30.0, tmp_path / "b.pkl")
    assert np.array_equal(rife(clip[:1], clip[2:]), clip[:1])


def by_hand(tensors, before, after):
    """The fast mode of RIFE 4.0, written out with the published names."""

    def resized(x, factor):
        return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)

    def convolved(x, name, stride=1):
        x = F.conv2d(x, tensors[f"{name}.0.weight"], tensors[f"{name}.0.bias"], stride, 1)
        return torch.where(x < 0, x * tensors[f"{name}.1.weight"][:, None, None], x)

    def at(image, flow):
        theta = torch.tensor([[[1.0, 0, 0], [0, 1, 0]]])
        grid = F.affine_grid(theta, list(image.shape), align_corners=True)
        half = torch.tensor([image.shape[3] - 1, image.shape[2] - 1]) / 2
        grid = grid + flow.permute(0, 2, 3, 1) / half
        return F.grid_sample(image, grid, padding_mode="border", align_corners=True)

    flow, logit = torch.zeros(1, 4, *before.shape[2:]), 0
    for block, scale in zip(BLOCKS, (8, 4, 2, 1), strict=True):
        shown = [at(before, flow[:, :2]), at(after, flow[:, 2:]), 0 * before[:, :1] + 0.5]
        if block == "block0":
            x = resized(torch.cat(shown, 1), 1 / scale)
        else:
            x = resized(torch.cat([*shown, logit], 1), 1 / scale)
            x = torch.cat([x, resized(flow, 1 / scale) / scale], 1)
        x = first = convolved(convolved(x, f"{block}.conv0.0", 2), f"{block}.conv0.1", 2)
        for index in range(8):
            x = convolved(x, f"{block}.convblock.{index}")
        last = f"{block}.lastconv"
        x = F.conv_transpose2d(x + first, tensors[f"{last}.weight"], tensors[f"{last}.bias"], 2, 1)
        x = resized(x, 2 * scale)
        flow, logit = flow + 2 * scale * x[:, :4], logit + x[:, 4:]
    share = 1 / (1 + torch.exp(-logit))
    return share * at(before, flow[:, :2]) + (1 - share) * at(after, flow[:, 2:])


def test_the_network_equals_the_published_one_written_out(tensors, tmp_path):
    rife = RIFE(save(tensors, tmp_path / "flownet.pkl"), "cpu")
    before, after = torch.rand(2, 1, 3, 64, 32)
    with torch.no_grad():
        expected = by_hand(tensors, before, after)
        found = rife.net(before, after)
    assert (found - (before + after) / 2).abs().max() > 0.05
    assert torch.allclose(found, expected, atol=1e-4)


def test_tensors_used_only_in_training_are_ignored_and_safetensors_accepted(tensors, tmp_path):
    more = tensors | {"block_tea.lastconv.bias": torch.zeros(5), "unet.up.bias": torch.zeros(1)}
    save_file(more, tmp_path / "flownet.safetensors")
    clip = panned("smooth", (64, 64), (2, 0), frames=5)
    value = FrameConsistency(RIFE(tmp_path / "flownet.safetensors", "cpu"))(beside(clip, clip))
    assert 0 < value < 1


def test_weights_of_another_version_are_refused(tensors, tmp_path):
    tensors["block0.convblock.0.beta"] = tensors.pop("block0.convblock.0.1.weight")
    with pytest.raises(WeightsError, match="does not fit IFNet: block0.convblock.0.1.weight is mi"):
        RIFE(save(tensors, tmp_path / "flownet.pkl"), "cpu")
