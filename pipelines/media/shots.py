"""Detect the shot boundaries of a video.

PySceneDetect finds hard cuts: frame differences that exceed those of neighbouring frames, which
excludes fast motion and pans. This module adds two rules: a flash is not a cut, and the black
between two fades belongs to neither shot. Dissolves are not detected.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain, islice

import cv2
import numpy as np
from scenedetect import FrameTimecode
from scenedetect.detectors import AdaptiveDetector

from pipelines.media.video.reader import Video

SIDE = 128
"""Longer side of the compared frames, in pixels."""
FLASH = 6
"""Maximum length of a flash, in frames."""
RETURNED = 0.25
"""Maximum difference of two frames of the same content, as a fraction of the step at a cut."""
BLACK = 24
"""Maximum pixel value of a black frame, from 0 to 255. Allows for coding artefacts and noise."""
SPECKS = 0.01
"""Maximum fraction of brighter pixels in a black frame."""


class Shots:
    """The shots of a video, detected from a frame on as far as required by `end`.

    A change of the picture's size begins a shot.

    Args:
        video: the opened source.
        first: the frame from which on cuts are searched. A shot begins with the frame.
    """

    def __init__(self, video: Video, first: int = 0) -> None:
        self._resized: list[int] = []
        pictures = self._watched(video.pictures(range(first, len(video.timestamps))), first)
        self._starts = enumerate(shot_starts(small_frames(pictures)), first)
        self._found: list[int] = []
        self._known = first

    def end(self, first: int, until: int) -> int:
        """Return the end of the shot that begins at frame `first`.

        The end is the first frame of the next shot, or `until` if the shot reaches it. Frames
        from `until` on are read only as far as the decision on earlier frames requires.

        Raises:
            RowError: as `Video.frames`.
        """
        for number, start in islice(self._starts, max(0, until - self._known)):
            self._known = number + 1
            if start:
                self._found.append(number)
        ends = [cuts[bisect_right(cuts, first) :][:1] for cuts in (self._found, self._resized)]
        return min([until, *chain(*ends)])

    def _watched(self, pictures: Iterable[np.ndarray], first: int) -> Iterator[np.ndarray]:
        """Yield pictures, and note those that have another size than the one before."""
        shape: tuple[int, ...] | None = None
        for number, picture in enumerate(pictures, first):
            if shape is not None and picture.shape != shape:
                self._resized.append(number)
            shape = picture.shape
            yield picture


def small_frames(pictures: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield pictures in the size of the first one, with no side longer than SIDE.

    Args:
        pictures: uint8 (H, W, 3) RGB.
    """
    size: tuple[int, int] | None = None
    for picture in pictures:
        if size is None:
            height, width = picture.shape[:2]
            scale = min(1.0, SIDE / max(height, width))
            size = max(1, round(scale * width)), max(1, round(scale * height))
        yield cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def shot_starts(frames: Iterable[np.ndarray]) -> Iterator[bool]:
    """Yield for every frame, uint8 (h, w, 3) RGB, whether a shot begins with the frame.

    The first frame begins a shot. `FLASH` and a few more frames are read ahead.
    """
    steps = _steps(frames)
    before: deque[np.ndarray] = deque(maxlen=FLASH + 1)
    after = deque(islice(steps, FLASH))
    while after:
        after.extend(islice(steps, 1))
        frame, step = after[0]
        if before:
            step = step or is_black(before[-1]) != is_black(frame)
            yield step and not _is_flash(before, [frame for frame, _ in after])
        else:
            yield True
        before.append(frame)
        after.popleft()


def _steps(frames: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, bool]]:
    """Yield every frame, and whether the detector finds a cut before the frame."""
    detector = AdaptiveDetector(min_scene_len=0)
    lag, fed = detector.window_width, 0
    waiting: deque[np.ndarray] = deque()

    def feed(frame: np.ndarray) -> bool:
        nonlocal fed
        fed += 1
        # The frame rate only affects lengths in seconds, which are not used.
        found = detector.process_frame(FrameTimecode(fed, 25.0), frame[..., ::-1])
        return bool(found)

    # Repeat the first and last frames, which then have neighbours on both sides.
    for frame in frames:
        for _ in range(0 if fed else lag):
            feed(frame)
        waiting.append(frame)
        step = feed(frame)
        if len(waiting) > lag:
            yield waiting.popleft(), step
    for _ in range(len(waiting)):
        step = feed(frame)
        yield waiting.popleft(), step


def _is_flash(before: Iterable[np.ndarray], after: Iterable[np.ndarray]) -> bool:
    """Whether the picture on one side of a step reappears on the other side."""
    *earlier, last = before
    first, *later = after
    step = _difference(last, first)
    pairs = [(last, frame) for frame in later] + [(frame, first) for frame in earlier]
    return any(_difference(a, b) < RETURNED * step for a, b in pairs)


def _difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(cv2.absdiff(a, b).mean())


def is_black(frame: np.ndarray, limit: int = BLACK) -> bool:
    """Whether a frame uint8 (h, w, 3) has at most a fraction `SPECKS` of pixels above `limit`."""
    dark = cv2.countNonZero(cv2.inRange(frame, (0, 0, 0), (limit, limit, limit)))
    return dark >= (1 - SPECKS) * frame[..., 0].size
