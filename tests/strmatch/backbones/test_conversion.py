"""Arguments inferred from a checkpoint's shapes. The command's tests cover whole conversions."""

import pytest
import torch

from strmatch.backbones.conversion import lavie_arguments
from strmatch.backbones.lavie import LaVieUNet

ARGUMENTS = [
    {"block_out_channels": (256, 512), "cross_attention_dim": 96},
    {"block_out_channels": (32, 64, 96), "attention_head_dim": (1, 2, 3), "layers_per_block": 1},
    {"block_out_channels": (64, 64, 64), "attention_head_dim": (2, 1, 1), "in_channels": 9},
]


def shapes(arguments):
    levels = len(arguments.get("block_out_channels", range(4)))
    types = {
        "down_block_types": ("CrossAttnDownBlock3D",) * (levels - 1) + ("DownBlock3D",),
        "up_block_types": ("UpBlock3D",) + ("CrossAttnUpBlock3D",) * (levels - 1),
    }
    with torch.device("meta"):
        return LaVieUNet(**types | arguments).state_dict()


@pytest.mark.parametrize("arguments", ARGUMENTS, ids=["two", "three", "inpainting"])
def test_the_inferred_unet_has_the_shapes_of_the_checkpoint(arguments):
    tensors = shapes(arguments)
    with torch.device("meta"):
        unet = LaVieUNet(**lavie_arguments(tensors))
    assert {name: t.shape for name, t in unet.state_dict().items()} == {
        name: t.shape for name, t in tensors.items()
    }
    # The shapes alone do not determine the number of heads.
    heads = arguments.get("attention_head_dim", 8)
    assert unet.config.attention_head_dim[0] == (heads if isinstance(heads, int) else heads[0])


def test_the_published_checkpoint_gives_the_published_arguments():
    found = lavie_arguments(shapes({}))
    assert found["block_out_channels"] == [320, 640, 1280, 1280]
    assert found["attention_head_dim"] == [8, 8, 8, 8]
    assert found["cross_attention_dim"] == 768
    assert found["layers_per_block"] == 2


def test_one_tensor_of_wrong_shape_does_not_change_the_arguments():
    whole = shapes(ARGUMENTS[-1])
    for name in ("down_blocks.1.resnets.0.conv1.weight", "conv_out.bias"):
        spoilt = whole | {name: torch.empty(7, 4, 3, 3, device="meta")}
        assert lavie_arguments(spoilt) == lavie_arguments(whole)
