"""Makes datasets of version v3.0 with lerobot's own classes: `make_dataset.py DATASETS`.

Run by the Python of .venv-lerobot. DATASETS is a JSON list of settings: folder, lengths (frames of
each episode), fps, tasks (one an episode), codec.
"""

import json
import sys
from pathlib import Path

import numpy as np

from tests.infra.lerobot import compat  # noqa: F401
from tests.pipelines.support.pictures import SIZE, picture

from lerobot.datasets.lerobot_dataset import LeRobotDataset  # isort: skip

CAMERAS = ("observation.images.top", "observation.images.wrist")
DEPTH = "observation.images.depth"


def features() -> dict:
    video = {"dtype": "video", "shape": (SIZE, SIZE, 3), "names": ["height", "width", "channels"]}
    return {
        "observation.state": {"dtype": "float32", "shape": (3,), "names": ["x", "y", "z"]},
        "action": {"dtype": "float64", "shape": (2,), "names": None},
        "gripper": {"dtype": "int64", "shape": (1,), "names": None},
        "note": {"dtype": "string", "shape": (1,), "names": None},
        **{camera: dict(video) for camera in CAMERAS},
        DEPTH: {**video, "info": {"video.is_depth_map": True}},
    }


def main(folder: str, lengths: list[int], fps: int, tasks: list[str], codec: str) -> None:
    rng = np.random.default_rng(0)
    made = LeRobotDataset.create(
        "tests/made", fps, features(), root=Path(folder), robot_type="arm", vcodec=codec
    )
    for episode, (length, task) in enumerate(zip(lengths, tasks, strict=True)):
        for frame in range(length):
            made.add_frame(
                {
                    "observation.state": rng.normal(size=3).astype(np.float32),
                    "action": rng.normal(size=2),
                    "gripper": np.array([frame % 2], np.int64),
                    "note": f"episode {episode}, frame {frame}",
                    CAMERAS[0]: picture(episode, 0, frame),
                    CAMERAS[1]: picture(episode, 1, frame),
                    DEPTH: picture(episode, 2, frame),
                    "task": task,
                }
            )
        made.save_episode(parallel_encoding=False)
    made.finalize()


if __name__ == "__main__":
    for settings in json.loads(sys.argv[1]):
        main(**settings)
