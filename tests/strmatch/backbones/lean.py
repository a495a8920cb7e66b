"""Requirements for the lean pass of every UNet."""

import torch

from strmatch.attention import record_attention


def check_lean(unet, sample, timestep, text, level, atol):
    """Check that a lean, probed pass stores less and gives the same gradient."""
    modules = {
        f"{name}.{kind}": getattr(block, kind)
        for name, block in unet.attention_blocks(level).items()
        for kind in ("attn1", "attn_temp")
    }
    maps, gradients, kept = [], [], []
    for lean in (False, True):
        sizes = []

        def keep(tensor, sizes=sizes):
            sizes.append(tensor.nbytes)
            return tensor

        x = sample.clone().requires_grad_()
        with (
            torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
            record_attention(modules, leave=True) as recorded,
        ):
            unet(x, timestep, text, lean=lean)
        loss = sum(m.square().sum() for m in recorded.values())
        gradients.append(torch.autograd.grad(loss, x)[0])
        maps.append(recorded)
        kept.append(sum(sizes))
    assert maps[0].keys() == maps[1].keys() == modules.keys()
    assert gradients[0].abs().max() > 0
    torch.testing.assert_close(gradients[1], gradients[0], rtol=0, atol=atol)
    assert kept[1] < 0.6 * kept[0]
