"""How many windows the editor of a configuration divides a clip into.

The time of an edit is proportional to this number.
"""

from pipelines.config.config import Config
from strmatch.sampling.windows import window_starts


def window_stride(config: Config) -> int | None:
    """Frames from one window of the editor to the next; None: half a window."""
    stride: int | None = config.editor_options.get("window_stride", config.edit.window_stride)
    return stride


def count_windows(config: Config, num_frames: int | None) -> int:
    """Number of windows of a clip.

    Args:
        config: the configuration of the editor.
        num_frames: number of frames of the clip; None in plans of older outputs: one window.
    """
    length = config.clip.num_frames
    return len(window_starts(num_frames or length, length, window_stride(config)))
