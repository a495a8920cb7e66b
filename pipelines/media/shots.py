"""Where one shot of a video ends and the next begins.

PySceneDetect finds hard cuts: steps that stand out among their neighbours, so that fast motion and
pans do not count. What it lets through, or cannot see, is settled here: a flash is no cut, and the
black between two fades belongs to neither shot. Dissolves are not found.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice

import cv2
import numpy as np
from scenedetect import FrameTimecode
from scenedetect.detectors import AdaptiveDetector

from pipelines.media.video import Video

SIDE = 128
"""Pixels of the longer side of the frames that are compared."""
FLASH = 6
"""Frames that a flash may last."""
RETURNED = 0.25
"""Share of the step at a cut that two frames may differ by and still show the same."""
BLACK = 24
"""Of 255: nothing in a black frame is brighter, where coding and noise have left their traces."""
SPECKS = 0.01
"""Share of a black frame that may be brighter."""


class Shots:
    """The shots of a video, found by looking through it from its beginning, as far as is asked."""

    def __init__(self, video: Video) -> None:
        self._starts = enumerate(shot_starts(small_frames(video)))
        self._found: list[int] = []
        self._known = 0

    def end(self, first: int, until: int) -> int:
        """Where the shot that begins at frame `first` ends: the number of the next shot's first
        frame, or `until` where it goes on to there.

        Frames from `until` on are looked at only as far as it takes to be sure of those before.

        Raises:
            RowError: as `Video.frames`.
        """
        for number, start in islice(self._starts, max(0, until - self._known)):
            self._known = number + 1
            if start:
                self._found.append(number)
        return min([until, *self._found[bisect_right(self._found, first) :][:1]])


def small_frames(video: Video) -> Iterator[np.ndarray]:
    """Every frame of a video, no side longer than SIDE: uint8 (h, w, 3) RGB."""
    scale = min(1.0, SIDE / max(video.height, video.width))
    size = max(1, round(scale * video.width)), max(1, round(scale * video.height))
    for number in range(len(video.timestamps)):
        (frame,) = video.frames([number])  # one at a time: a long video never lies in memory
        yield cv2.resize(frame, size, interpolation=cv2.INTER_AREA)


def shot_starts(frames: Iterable[np.ndarray]) -> Iterator[bool]:
    """For every frame, uint8 (h, w, 3) RGB, whether a shot begins with it; the first one's does.

    A few frames are read ahead.
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
    """Every frame, with whether the detector sees a cut before it."""
    detector = AdaptiveDetector(min_scene_len=0)
    lag, fed = detector.window_width, 0
    waiting: deque[np.ndarray] = deque()

    def feed(frame: np.ndarray) -> bool:
        nonlocal fed
        fed += 1
        # The rate is for lengths in seconds, of which there are none.
        found = detector.process_frame(FrameTimecode(fed, 25.0), frame[..., ::-1])
        return bool(found)

    # Its first and last frames have neighbours on both sides too, then.
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
    """Whether the picture before or after a step is back on the other side of it."""
    *earlier, last = before
    first, *later = after
    step = _difference(last, first)
    pairs = [(last, frame) for frame in later] + [(frame, first) for frame in earlier]
    return any(_difference(a, b) < RETURNED * step for a, b in pairs)


def _difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(cv2.absdiff(a, b).mean())


def is_black(frame: np.ndarray, limit: int = BLACK) -> bool:
    """Whether nothing in a frame uint8 (h, w, 3), but for specks, is brighter than the limit."""
    dark = cv2.countNonZero(cv2.inRange(frame, (0, 0, 0), (limit, limit, limit)))
    return dark >= (1 - SPECKS) * frame[..., 0].size
