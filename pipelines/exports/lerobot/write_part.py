"""One part of an export: its data and videos are written, and read back as a reader finds them."""

import json
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.errors import RunError
from pipelines.exports.lerobot.layout import Layout
from pipelines.exports.lerobot.metadata import records
from pipelines.exports.lerobot.plan import Plan, PlannedEpisode
from pipelines.exports.lerobot.stats import Stats, image_stats, number_stats, sampled_frames
from pipelines.exports.lerobot.videos import ReadBack, copy, cut, read_columns, write_edits
from pipelines.rows import Row
from pipelines.schema import METRIC_PREFIX
from pipelines.sources.lerobot.dataset import LeRobotDataset
from pipelines.sources.lerobot.episode import EpisodeVideo
from pipelines.storage import Storage

COUNTERS = ("episode_index", "index", "task_index")
"""The columns of a frame that differ from those of the source."""
MADE_BY = (
    *("edit_id", "editor", "editor_settings", "model_revision", "seed", "source_prompt"),
    *("target_prompt", "target_kind", "source_word", "target_word", "target_where", "composited"),
)
"""Columns of an edit that the export records."""

Videos = Mapping[str, EpisodeVideo]


class WritePart:
    """Writes consecutive episodes of an export.

    Args:
        output: the run's folder.
        columns: of the run's dataset.
        source: the dataset that was edited.
        layout: where files lie.
        plan: of the export.
        to: the destination.
    """

    def __init__(
        self,
        output: Storage,
        columns: Sequence[str],
        source: LeRobotDataset,
        layout: Layout,
        plan: Plan,
        to: Storage,
    ) -> None:
        self.output = output
        self.made_by = [n for n in columns if n in MADE_BY or n.startswith(METRIC_PREFIX)]
        self.source = source
        self.layout = layout
        self.tasks = {text: number for number, text in enumerate(plan.tasks)}
        self.texts = plan.tasks
        self.to = to
        self.records = records(source)
        self._data: tuple[str, pa.Table] | None = None  # the last file, of many episodes

    def __call__(self, part: int, episodes: Sequence[PlannedEpisode]) -> Iterator[Row]:
        """Yields for each episode `row`, `stats` and `augmentation`, when all files are written.

        Raises:
            RunError: what was read back differs from what was to be written; names the file.
        """
        videos = self._write_videos(part, episodes)
        tables = [self._frames(planned) for planned in episodes]
        name = self.layout.data_file(part)
        self.to.write_table(name, pa.concat_tables(tables))
        self._check_data(name, tables)
        timestamps = {
            planned.number: table["timestamp"].to_numpy()
            for planned, table in zip(episodes, tables, strict=True)
        }
        stats = self._read_videos(episodes, videos, timestamps)
        for planned, table in zip(episodes, tables, strict=True):
            record = self.records.read(planned.source.number)
            of_frames = self._number_stats(table, record.stats)
            yield {
                "row": self._row(record.row, planned, part, videos[planned.number]),
                "stats": record.stats | of_frames | stats[planned.number],
                "augmentation": self._augmentation(planned),
            }

    # Videos

    def _write_videos(
        self, part: int, episodes: Sequence[PlannedEpisode]
    ) -> dict[int, dict[str, EpisodeVideo]]:
        """Returns the places of all videos, by episode."""
        places: dict[int, dict[str, EpisodeVideo]] = {planned.number: {} for planned in episodes}
        for name in self.source.videos:
            edits, frames = [], 0
            for planned in episodes:
                edit = planned.edited and planned.edited.edits.get(name)
                if edit:
                    places[planned.number][name] = self.layout.edited(name, part, frames)
                    edits.append((edit, planned.source.length))
                    frames += planned.source.length
                else:
                    places[planned.number][name] = self._copy(planned, name)
            if edits:
                file = self.layout.edited(name, part, 0).file
                write_edits(self.output, edits, self.source.fps, self.to, file)
        return places

    def _copy(self, planned: PlannedEpisode, name: str) -> EpisodeVideo:
        there, here = planned.source.videos[name], self.layout.copied(planned, name)
        if here.whole:
            copy(self.source.storage, there.file, self.to, here.video.file)
        else:
            span = there.first_frame, planned.source.length
            cut(self.source.storage, there.file, *span, self.to, here.video.file)
        return here.video

    def _read_videos(
        self,
        episodes: Sequence[PlannedEpisode],
        videos: Mapping[int, Videos],
        timestamps: Mapping[int, np.ndarray],
    ) -> dict[int, dict[str, Stats]]:
        """Check every frame's time; decode all edited frames. Returns their statistics."""
        stats: dict[int, dict[str, Stats]] = {planned.number: {} for planned in episodes}
        by_file: dict[str, list[tuple[PlannedEpisode, str]]] = {}
        for planned in episodes:
            for name, video in videos[planned.number].items():
                by_file.setdefault(video.file, []).append((planned, name))
        for file, shown in by_file.items():
            with ReadBack(self.to, file) as read:
                for planned, name in shown:
                    first = videos[planned.number][name].first_frame
                    read.check_times(first, self.source.fps, timestamps[planned.number])
                    if planned.edited and name in planned.edited.edits:
                        known = self.records.read(planned.source.number).stats.get(name, ())
                        looked_at = {*sampled_frames(planned.source.length)}
                        pictures = read.pictures(first, planned.source.length)
                        some = (p for n, p in enumerate(pictures) if n in looked_at)
                        stats[planned.number][name] = image_stats(some, known)
        return {number: {n: s for n, s in of.items() if len(s) > 1} for number, of in stats.items()}

    # Data

    def _frames(self, planned: PlannedEpisode) -> pa.Table:
        """Returns the frames of an episode as the source has them, with other counters."""
        episode = planned.source
        if self._data is None or self._data[0] != episode.data_file:
            self._data = episode.data_file, self.source.storage.read_table(episode.data_file)
        _, data = self._data
        table = data.filter(pc.equal(data["episode_index"], episode.number))
        if len(table) != episode.length:
            raise RunError(
                f"{self.source.storage}/{episode.data_file} has {len(table)} frames of episode "
                f"{episode.number}, the metadata say {episode.length}"
            )
        texts = (self.texts[number] for number in table["task_index"].to_pylist())
        counters = {
            "episode_index": np.full(len(table), planned.number),
            "index": planned.first_index + np.arange(len(table)),
            "task_index": [self.tasks[planned.tasks.get(text, text)] for text in texts],
        }
        for name, values in counters.items():
            place = table.schema.get_field_index(name)
            field = table.schema.field(name)
            table = table.set_column(place, field, pa.array(values).cast(field.type))
        # The index of a pandas frame counts the rows of the source's file.
        metadata = {k: v for k, v in (table.schema.metadata or {}).items() if k != b"pandas"}
        return table.replace_schema_metadata(metadata)

    def _check_data(self, name: str, tables: Sequence[pa.Table]) -> None:
        written = self.to.read_table(name)
        for column in written.column_names:
            found, wanted = written[column], pa.concat_tables(tables)[column]
            # NaN differs from itself, and its text does not.
            same = found.equals(wanted) or repr(found.to_pylist()) == repr(wanted.to_pylist())
            if not same or len(found) != len(wanted):
                raise RunError(f"{self.to}/{name}: column {column} was written and differs")

    def _number_stats(self, table: pa.Table, known: Mapping[str, Stats]) -> dict[str, Stats]:
        return {
            name: number_stats(table[name].to_numpy(), known[name])
            for name in COUNTERS
            if name in known
        }

    # Metadata

    def _row(self, row: Row, planned: PlannedEpisode, part: int, videos: Videos) -> Row:
        tasks = [planned.tasks.get(task, task) for task in planned.source.tasks]
        named = {"episode_index": planned.number, "tasks": tasks}
        return self.layout.row(row | named, planned, part, videos, self.source.fps)

    def _augmentation(self, planned: PlannedEpisode) -> Row:
        told = {"episode_index": planned.number, "source_episode_index": planned.source.number}
        if planned.edited is None:
            return told | {"synthetic": False}
        edits = planned.edited.edits
        cameras = {name: self._made_by(name, planned) for name in sorted(edits)}
        alone = [name for name in self.source.cameras if name not in edits]
        return told | {"synthetic": True, "cameras": cameras, "cameras_left_alone": alone}

    def _made_by(self, camera: str, planned: PlannedEpisode) -> Row:
        assert planned.edited is not None
        row = read_columns(self.output, planned.edited.edits[camera], self.made_by)
        metrics = {
            n.removeprefix(METRIC_PREFIX): row[n] for n in row if n.startswith(METRIC_PREFIX)
        }
        made = {name: row[name] for name in MADE_BY if name in row}
        if made.get("editor_settings"):
            made["editor_settings"] = json.loads(made["editor_settings"])
        return made | {"metrics": metrics}
