"""Reads datasets with lerobot's own classes: `read_dataset.py FOLDER …`.

Run by the Python of .venv-lerobot. FOLDER.npz gets the columns of every frame, decoded videos as
uint8 (n, H, W, 3), FOLDER.json the metadata.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

from tests.infra.lerobot import compat  # noqa: F401

from lerobot.datasets.lerobot_dataset import LeRobotDataset  # isort: skip


def main(folder: str) -> None:
    read = LeRobotDataset("tests/read", root=Path(folder))
    columns = defaultdict(list)
    for at in range(len(read)):
        for name, value in read[at].items():
            if name in read.meta.video_keys:
                value = np.rint(value.numpy() * 255).astype(np.uint8).transpose(1, 2, 0)
            columns[name].append(np.asarray(value))
    np.savez(f"{folder}.npz", **{name: np.stack(values) for name, values in columns.items()})
    stats = {
        name: {key: np.asarray(value).tolist() for key, value in of.items()}
        for name, of in read.meta.stats.items()
    }
    told = {
        "info": read.meta.info,
        "episodes": [dict(episode) for episode in read.meta.episodes],
        "stats": stats,
    }
    Path(f"{folder}.json").write_text(json.dumps(told, default=str))


if __name__ == "__main__":
    for name in sys.argv[1:]:
        main(name)
