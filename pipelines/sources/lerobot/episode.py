"""An episode of a LeRobot dataset, whatever the layout of its files."""

from collections.abc import Mapping
from typing import NamedTuple


class EpisodeVideo(NamedTuple):
    """What one camera recorded in an episode."""

    file: str
    """The MP4 file, below the dataset's folder."""
    first_frame: int
    """Position in the file of the episode's first frame."""
    chunk: int
    """Number of the folder that the file is in."""
    number: int
    """Number of the file in its folder."""


class Episode(NamedTuple):
    """An episode of a dataset."""

    number: int
    """episode_index, from 0 on."""
    length: int
    """Frames."""
    tasks: tuple[str, ...]
    data_file: str
    """The Parquet file with the episode's rows, below the dataset's folder."""
    videos: Mapping[str, EpisodeVideo]
    """By the name of the video feature."""
