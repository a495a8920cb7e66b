"""The small world's model with joint attention, with random weights in the layout of training."""

import shutil

import torch

from strmatch.backbones.folder import weights_folder
from strmatch.miniature.joint import make_flow_scheduler, make_transformer


def save_joint_model(folder):
    """Write a model to a folder: random transformer, and the other parts of the embedded model."""
    torch.manual_seed(0)
    transformer = make_transformer()
    for parameter in transformer.parameters():
        if parameter.ndim > 1:  # the initial weights predict nothing
            torch.nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
    transformer.half().save_pretrained(folder / "transformer")
    make_flow_scheduler().save_pretrained(folder / "scheduler")
    for part in ("vae", "text_encoder", "tokenizer"):
        shutil.copytree(weights_folder("miniature") / part, folder / part)
