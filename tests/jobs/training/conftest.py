import pytest
import torch

from jobs.training.bank import fill_bank
from jobs.training.workers import Worker
from strmatch.miniature.model import make_vae
from tests.jobs.training.helpers import phase


@pytest.fixture(scope="module")
def bank():
    torch.manual_seed(0)
    return fill_bank(make_vae().eval(), phase(), Worker(), 0, "test")
