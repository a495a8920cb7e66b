import pytest
import torch
from torch import nn

from strmatch.backbones.features import over_space, record_averages
from tests.strmatch.tiny import tiny_backbone, tiny_motion, tiny_unet3d


def test_every_layout_of_a_clip_has_the_same_mean():
    features = torch.randn(1, 5, 3, 4, 2, dtype=torch.float64)
    frames = features[0].transpose(0, 1)
    by_position = frames.flatten(2).permute(2, 0, 1)
    expected = torch.stack([frames[i, c].sum() / 8 for i in range(3) for c in range(5)]).view(3, 5)
    for layout in (features, frames, by_position):
        torch.testing.assert_close(over_space(layout), expected)


def test_a_pass_ends_after_the_last_module_and_removes_its_hooks():
    chain, ran = nn.Sequential(*(nn.Linear(5, 5) for _ in range(3))).double(), []
    chain[2].register_forward_hook(lambda *_: ran.append(1))
    x = torch.randn(8, 3, 5, dtype=torch.float64)  # (n, f, c)
    with record_averages([chain[0], chain[1]]) as averages:
        chain(x)
    assert not ran
    torch.testing.assert_close(averages[1], chain[1](chain[0](x)).mean(dim=0))
    chain(x)
    assert len(averages) == 2


@pytest.mark.parametrize("make_unet", [None, tiny_unet3d, tiny_motion])
def test_averaged_features_equal_those_of_a_full_pass(make_unet):
    backbone = tiny_backbone(**{"make_unet": make_unet} if make_unet else {})
    z, text = torch.randn(1, 4, 3, 8, 8, dtype=torch.float64), backbone.embed("a circle")
    with torch.no_grad():
        averages = backbone.averaged_features(z, 5, text)
    shapes = [average.shape for average in averages]
    assert shapes == [(3, 32)] * 2  # the finest of two levels: no upsampler follows
    outputs = []
    unet = getattr(backbone.unet, "unet", backbone.unet)
    resnet = unet.get_submodule("up_blocks.1.resnets.1.conv2")
    resnet.register_forward_hook(lambda module, args, out: outputs.append(out))
    with torch.no_grad():
        backbone.predict(z, 5, text)
    (whole,) = outputs
    by_frame = whole[0].transpose(0, 1) if whole.ndim == 5 else whole
    torch.testing.assert_close(averages[0], by_frame.mean(dim=(2, 3)))
