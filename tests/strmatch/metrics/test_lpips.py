import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from strmatch import WeightsError
from strmatch.metrics.lpips import BackgroundLPIPS
from tests.strmatch.metrics.clips import beside, panned

CONVOLUTIONS = {0: (64, 3, 11, 11), 3: (192, 64, 5, 5), 6: (384, 192, 3, 3)}
CONVOLUTIONS |= {8: (256, 384, 3, 3), 10: (256, 256, 3, 3)}
"""AlexNet's, as torchvision numbers them."""


@pytest.fixture(scope="module")
def alexnet():
    """Random weights with the names and shapes of torchvision and part of the classifier."""
    torch.manual_seed(0)
    tensors = {"classifier.1.weight": torch.zeros(8, 9216), "classifier.1.bias": torch.zeros(8)}
    for index, shape in CONVOLUTIONS.items():
        fan_in = shape[1] * shape[2] * shape[3]
        tensors[f"features.{index}.weight"] = torch.randn(shape) * (2 / fan_in) ** 0.5
        tensors[f"features.{index}.bias"] = torch.randn(shape[0]) / 10
    return tensors


@pytest.fixture(scope="module")
def heads():
    widths = [shape[0] for shape in CONVOLUTIONS.values()]
    return {f"lin{i}.model.1.weight": torch.rand(1, w, 1, 1) for i, w in enumerate(widths)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, alexnet, heads):
    folder = tmp_path_factory.mktemp("lpips")
    torch.save(alexnet, folder / "alexnet-owt-7be5be79.pth")
    torch.save(heads, folder / "alex.pth")
    return folder


@pytest.fixture(scope="module")
def metric(folder):
    return BackgroundLPIPS(folder, "cpu")


@pytest.fixture
def clip():
    return panned("smooth", (64, 80), (1, 0), frames=3) // 2 + 40


@pytest.fixture
def mask():
    mask = np.zeros((3, 64, 80), bool)
    mask[:, 20:40, 24:44] = True
    return mask


def by_hand(frame, other, alexnet, heads):
    """LPIPS 0.1 of two frames uint8 (H, W, 3), in double precision."""

    def stages(image):
        x = torch.from_numpy(image.copy()).double().permute(2, 0, 1)[None] / 255 * 2 - 1
        mean = torch.tensor([-0.030, -0.088, -0.188]).double().view(3, 1, 1)
        x = (x - mean) / torch.tensor([0.458, 0.448, 0.450]).double().view(3, 1, 1)
        for index, stride, padding in ((0, 4, 2), (3, 1, 2), (6, 1, 1), (8, 1, 1), (10, 1, 1)):
            if index in (3, 6):
                x = F.max_pool2d(x, 3, 2)
            weight, bias = (alexnet[f"features.{index}.{k}"].double() for k in ("weight", "bias"))
            x = F.conv2d(x, weight, bias, stride, padding).clamp(min=0)
            yield F.normalize(x, dim=1)

    total = 0.0
    for index, (one, two) in enumerate(zip(stages(frame), stages(other), strict=True)):
        head = heads[f"lin{index}.model.1.weight"].double()
        total += float(((one - two) ** 2 * head).sum(dim=1).mean())
    return total


def test_the_value_is_lpips_of_frames_with_black_subjects(metric, clip, mask, alexnet, heads):
    edited = 255 - clip
    blacked = [clip.copy(), edited.copy()]
    for frames in blacked:
        frames[mask] = 0
    expected = np.mean([by_hand(*pair, alexnet, heads) for pair in zip(*blacked, strict=True)])
    assert expected > 0.05
    assert metric(beside(clip, edited, mask)) == pytest.approx(expected, rel=1e-4)


def test_the_distance_of_equal_clips_is_zero(metric, clip, mask):
    assert metric(beside(clip, clip, mask)) == 0


def test_changes_inside_the_mask_do_not_count(metric, clip, mask):
    edited = clip.copy()
    edited[mask] = 255 - edited[mask]
    assert metric(beside(clip, edited, mask)) == 0


def test_the_distance_increases_with_a_change_outside_the_mask(metric, clip, mask):
    found = []
    for strength in (4, 16, 64):
        edited = clip.copy()
        edited[:, :, 50:, 0] += strength
        found.append(metric(beside(clip, edited, mask)))
    assert 0 < found[0] < found[1] < found[2]


def test_frames_without_background_do_not_count(metric, clip, mask):
    edited = 255 - clip
    mask[1] = True
    others = [0, 2]
    assert metric(beside(clip, edited, mask)) == pytest.approx(
        metric(beside(clip[others], edited[others], mask[others]))
    )
    assert math.isnan(metric(beside(clip, edited, np.ones_like(mask))))


def test_the_metric_does_not_apply_without_a_mask(metric, clip):
    assert math.isnan(metric(beside(clip, clip)))


def test_weights_in_safetensors_are_accepted(metric, clip, mask, alexnet, heads, tmp_path):
    save_file(alexnet, tmp_path / "alexnet.safetensors")
    save_file(heads, tmp_path / "alex.safetensors")
    sample = beside(clip, 255 - clip, mask)
    assert BackgroundLPIPS(tmp_path, "cpu")(sample) == metric(sample)


def test_a_folder_without_the_heads_is_refused(alexnet, tmp_path):
    torch.save(alexnet, tmp_path / "alexnet-owt-7be5be79.pth")
    with pytest.raises(WeightsError, match=r"must hold one file alex.*, and holds 0"):
        BackgroundLPIPS(tmp_path)


def test_heads_of_another_network_are_refused(alexnet, heads, tmp_path):
    torch.save(alexnet, tmp_path / "alexnet-owt-7be5be79.pth")
    torch.save(heads | {"lin5.model.1.weight": torch.zeros(1, 512, 1, 1)}, tmp_path / "alex.pth")
    with pytest.raises(WeightsError, match=r"alex.pth does not fit ModuleList: 5.weight is unex"):
        BackgroundLPIPS(tmp_path)
