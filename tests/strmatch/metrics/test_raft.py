import importlib.util
from pathlib import Path

import pytest

from strmatch.metrics.raft import RaftMotionError


@pytest.mark.skipif(importlib.util.find_spec("torchvision") is not None, reason="it is installed")
def test_a_missing_torchvision_is_reported_with_the_extra_to_install():
    with pytest.raises(ImportError, match=r"pip install 'strmatch\[raft\]'") as error:
        RaftMotionError(Path("raft.pth"))
    assert len(str(error.value).splitlines()) == 1
