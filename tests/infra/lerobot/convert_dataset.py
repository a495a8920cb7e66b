"""Converts datasets of version v2.1 to v3.0, in place, with lerobot's own converter.

`convert_dataset.py FOLDER …`, run by the Python of .venv-lerobot.
"""

import sys
from pathlib import Path

from tests.infra.lerobot import compat  # noqa: F401

from lerobot.datasets.v30.convert_dataset_v21_to_v30 import convert_dataset  # isort: skip

if __name__ == "__main__":
    for name in sys.argv[1:]:
        folder = Path(name)
        convert_dataset(folder.name, root=folder.parent, push_to_hub=False)
