import importlib.util
from pathlib import Path

import pytest

from strmatch.metrics.raft import RaftMotionError


@pytest.mark.skipif(importlib.util.find_spec("torchvision") is not None, reason="it is installed")
def test_without_torchvision_one_line_names_the_extra():
    with pytest.raises(ImportError, match=r"pip install 'strmatch\[raft\]'") as error:
        RaftMotionError(Path("raft.pth"))
    assert len(str(error.value).splitlines()) == 1
