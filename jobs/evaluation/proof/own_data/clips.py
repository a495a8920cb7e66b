"""Labelled clips: of a published dataset with its edits, and of a test set."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from torch import Tensor

from jobs.evaluation.proof.own_data.labels import find_label
from pipelines.errors import InputError, RowError
from pipelines.exports.edits import FOLDER, PublishedDataset
from pipelines.ids import content_id
from pipelines.media.encode import decode_video
from pipelines.media.frames import fit, frame_indices
from pipelines.media.video.opening import open_video
from pipelines.rows import Row
from pipelines.schema import TAKEN
from pipelines.sources.listing import find_sources
from pipelines.sources.manifest_file import SUFFIXES
from pipelines.storage import Storage

View = Callable[[np.ndarray], Tensor]
"""What a model sees of a clip, uint8 (f, H, W, 3)."""


class Form(NamedTuple):
    """Frames, frames a second, height and width of the clips of a dataset."""

    num_frames: int
    fps: float
    height: int
    width: int


@dataclass
class Labelled:
    """What a model sees of clips, and the label of each."""

    views: list[Tensor] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)

    def add(self, view: Tensor, label: str) -> None:
        self.views.append(view)
        self.labels.append(label)


@dataclass
class Training:
    """The clips of a dataset that have an edit that is ok, and these edits."""

    clips: Labelled
    edits: Labelled
    form: Form
    """Length, rate and size of the first clip."""
    clip_ids: set[str]


def read_training(dataset: PublishedDataset, label: str, view: View) -> Training:
    """Read the clips and the edits of a dataset that are ok. An edit has the label of its clip.

    Args:
        label: see `find_label`.

    Raises:
        InputError: the label is missing, in the dataset or in a row, or no edit is ok.
    """
    where = find_label(label, _own_columns(dataset), str(dataset.output))
    columns = [*Form._fields, "row_id", "clip_id", "source_video", "edited_video", where.column]
    found = Training(Labelled(), Labelled(), Form(0, 0.0, 0, 0), set())
    for row in _rows(dataset, columns):
        named = where(row, f"{dataset.output}: row {row['row_id']}")
        if row["clip_id"] not in found.clip_ids:
            if not found.clip_ids:
                found.form = Form(*(row[name] for name in Form._fields))
            found.clip_ids.add(row["clip_id"])
            found.clips.add(view(decode_video(row["source_video"])), named)
        found.edits.add(view(decode_video(row["edited_video"])), named)
    if not found.clip_ids:
        raise InputError(f"{dataset.output} has no edit that is ok: there is nothing to train on")
    return found


def identity_of_test(uri: str) -> str:
    """Names a test set by its files, so that another one is noticed."""
    storage = Storage(uri)
    if _is_dataset(storage):
        return PublishedDataset(storage).identity
    table = find_sources(uri, {})
    versions = table.select(["source_row", "source_version"]).to_pylist()
    return content_id(test=[list(row.values()) for row in versions])


def read_test(uri: str, label: str, view: View, training: Training) -> Labelled:
    """Read the clips of a test set.

    Args:
        uri: another output, whose clips are taken and not their edits; a manifest with a column
            for the label; or a folder with a folder of videos for each class.
        label: as for `read_training`. A folder needs none.
        training: whose form is that of the span that is taken of each video.

    Raises:
        InputError: a clip has no label, cannot be read, or is in the training set.
    """
    storage = Storage(uri)
    if _is_dataset(storage):
        return _clips_of_dataset(PublishedDataset(storage), label, view, training)
    found = Labelled()
    for source, named in _labelled_sources(uri, label):
        found.add(view(_span(source, training.form)), named)
    return found


def _is_dataset(storage: Storage) -> bool:
    return storage.fs.isdir(storage.root) and bool(storage.find(FOLDER, ".parquet"))


def _clips_of_dataset(
    dataset: PublishedDataset, label: str, view: View, training: Training
) -> Labelled:
    where = find_label(label, _own_columns(dataset), str(dataset.output))
    found, seen = Labelled(), set[str]()
    for row in _rows(dataset, ["row_id", "clip_id", "source_video", where.column]):
        if row["clip_id"] in training.clip_ids:
            raise InputError(
                f"--test {dataset.output}: the clip of row {row['row_id']} is in the training set, "
                "too: test on other clips"
            )
        if row["clip_id"] not in seen:
            seen.add(row["clip_id"])
            named = where(row, f"{dataset.output}: row {row['row_id']}")
            found.add(view(decode_video(row["source_video"])), named)
    return found


def _labelled_sources(uri: str, label: str) -> Iterator[tuple[Row, str]]:
    table = find_sources(uri, {})
    is_manifest = uri.lower().endswith(SUFFIXES)
    where = find_label(label, table.column_names, f"manifest {uri}") if is_manifest else None
    for row in table.to_pylist():
        name = f"--test {uri}: {row['source_uri']}"
        if row["problem"]:
            raise InputError(f"{name}: {row['problem']}")
        folder, slash, _ = row["source_uri"].partition("/")
        if where:
            yield row, where(row, name)
        elif slash:
            yield row, folder
        else:
            raise InputError(
                f"{name} is in no folder: put the videos of each class in a folder with its name, "
                "or give a manifest"
            )


def _span(source: Row, form: Form) -> np.ndarray:
    """Returns a span of a video, uint8 (f, H, W, 3): as a clip of the training set, from the
    manifest's `start_seconds`, else from the middle."""
    try:
        with open_video(source["location"]) as video:
            start = source["start_seconds"]
            if start is None:
                start = max(0.0, (video.timestamps[-1] - (form.num_frames - 1) / form.fps) / 2)
            at = frame_indices(video.timestamps, start, form.fps, form.num_frames)
            return fit(video.frames(at), form.height, form.width, "crop")
    except RowError as error:
        raise InputError(f"--test: {source['source_uri']}: {error}") from error


def _rows(dataset: PublishedDataset, columns: Sequence[str]) -> Iterator[Row]:
    for group in dataset.row_groups:
        yield from dataset.edits(group, columns)


def _own_columns(dataset: PublishedDataset) -> list[str]:
    """Returns the columns of a dataset, those of its manifest first."""
    return sorted(dataset.schema.names, key=lambda name: name in TAKEN)
