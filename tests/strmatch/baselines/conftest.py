import numpy as np
import pytest

from tests.strmatch.tiny import FRAMES, SIZE, tiny_backbone


@pytest.fixture(scope="package")
def backbone():
    return tiny_backbone()


@pytest.fixture(scope="package")
def frames():
    return np.random.default_rng(0).integers(0, 256, (FRAMES, SIZE, SIZE, 3), dtype=np.uint8)


@pytest.fixture
def mask():
    mask = np.zeros((FRAMES, SIZE, SIZE), dtype=bool)
    mask[:, 4:12, 6:14] = True
    return mask
