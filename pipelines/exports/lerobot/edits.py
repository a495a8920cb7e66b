"""The edits of a dataset by episode: an episode is edited if all its cameras show one target."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pipelines.english.change import EditedPrompt
from pipelines.errors import RunError
from pipelines.exports.edits import PublishedDataset, partition_values
from pipelines.media.encode import ENCODERS, Codec
from pipelines.rows import Row
from pipelines.sources.lerobot.dataset import LeRobotDataset
from pipelines.sources.lerobot.listing import COLUMNS

READ = (
    *("row_id", "level", "status", "num_frames", "height", "width", "source_codec"),
    *COLUMNS.names,
    *EditedPrompt.__dataclass_fields__,
)


class Edit(NamedTuple):
    """The place of an edit in the dataset."""

    file: str
    row: int
    """Number of the row in the file."""
    codec: Codec
    """Codec of the edited video in the export: the source's, because LeRobot joins files of a
    camera without a new encoding."""


class EditedEpisode(NamedTuple):
    """An episode with the edits of all cameras to one target."""

    episode: int
    prompt: EditedPrompt
    """Prompts of the first camera; the others have the same target."""
    edits: Mapping[str, Edit]
    """By camera."""


class EditedEpisodes(NamedTuple):
    """The episodes that are edited in all cameras of the run."""

    found: list[EditedEpisode]
    """By episode; targets of an episode in the dataset's order."""
    cameras: list[str]
    """The cameras of the run."""
    left_out: Counter[str]
    """Episodes and targets that lack an edit, by the reason."""


def edited_episodes(dataset: PublishedDataset, source: LeRobotDataset) -> EditedEpisodes:
    """Find the edits of a dataset that are ok.

    Raises:
        RunError: the dataset was not made of the source, or its videos have another size.
    """
    lacking = [name for name in COLUMNS.names if name not in dataset.schema.names]
    if lacking:
        raise RunError(
            f"{dataset.output}: the dataset has no column {lacking[0]}, it was not made of an "
            "input lerobot://…"
        )
    groups: dict[tuple[int, str], dict[str, Edit]] = {}
    prompts: dict[tuple[int, str], EditedPrompt] = {}
    cameras, seen, planned = set[str](), set[int](), set[tuple[int, str]]()
    for place, row in _rows(dataset):
        _check_dataset(row, source)
        cameras.add(row["lerobot_camera"])
        seen.add(int(row["lerobot_episode"]))
        if row["level"] != "edit":
            continue
        key = int(row["lerobot_episode"]), row["target_prompt"]
        planned.add(key)
        if row["status"] == "ok":
            _check_edit(row, source)
            groups.setdefault(key, {})[row["lerobot_camera"]] = place
            prompts.setdefault(key, EditedPrompt.of_row(row))
    order = {key: number for number, key in enumerate(groups)}
    whole = [key for key in groups if groups[key].keys() == cameras]
    found = [
        EditedEpisode(key[0], prompts[key], groups[key])
        for key in sorted(whole, key=lambda key: (key[0], order[key]))
    ]
    left = {
        "episodes without an edit": len(seen - {episode for episode, _ in planned}),
        "edits of an episode that are ok in no camera": len(planned) - len(groups),
        "edits of an episode that are not ok in all cameras": len(groups) - len(whole),
    }
    return EditedEpisodes(found, sorted(cameras), +Counter(left))


def _rows(dataset: PublishedDataset) -> Iterator[tuple[Edit, Row]]:
    for file in dict.fromkeys(group.file for group in dataset.row_groups):
        folders = partition_values(file)
        there = [name for name in READ if name in dataset.schema.names and name not in folders]
        table = dataset.output.read_table(file, there)
        for number, row in enumerate(table.to_pylist()):
            yield Edit(file, number, _codec(row)), row | folders


def _codec(row: Row) -> Codec:
    """Returns the source's codec, or H.264 if the source has one that is not written."""
    even = not (row["height"] or 0) % 2 and not (row["width"] or 0) % 2
    return next((codec for codec in ENCODERS if row["source_codec"] == codec and even), "h264")


def _check_dataset(row: Row, source: LeRobotDataset) -> None:
    if row["lerobot_dataset"] != source.identity:
        raise RunError(
            f"{source.storage} is not the LeRobot dataset that the run edited, or it has changed: "
            "name that one by --source"
        )


def _check_edit(row: Row, source: LeRobotDataset) -> None:
    episode = source.episodes[int(row["lerobot_episode"])]
    size = source.size(row["lerobot_camera"])
    if (row["height"], row["width"]) != size:
        raise RunError(
            f"edits have {row['width']} × {row['height']} pixels, {row['lerobot_camera']} has "
            f"{size[1]} × {size[0]}: first `strmatch publish` with --set publish.size=source"
        )
    if row["num_frames"] != episode.length:
        raise RunError(
            f"edit {row['row_id']} has {row['num_frames']} frames, episode {episode.number} has "
            f"{episode.length}"
        )
