"""A short phase, and a text tower that listens."""

import torch
from torch import nn

from jobs.training.recipe import DiffusionPhase
from strmatch.miniature.tokenizer import make_tokenizer

TOKENIZER = make_tokenizer()


def phase(**changes):
    settings = {"frames": 4, "clips": 6, "steps": 200, "batch": 4, "warmup": 10}
    rates = {"learning_rate": 1e-3, "final_learning_rate": 1e-4}
    return DiffusionPhase(**settings | rates | changes)


class Listener(nn.Module):
    """A text tower that remembers what it was told."""

    def __init__(self):
        super().__init__()
        self.heard = []

    def forward(self, ids):
        self.heard += [TOKENIZER.decode(row, skip_special_tokens=True).strip() for row in ids]
        return (torch.zeros(*ids.shape, 8),)
