"""The job of `strmatch prove --dataset`: what the edits of a dataset gain on labelled clips."""

from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import track

from jobs.evaluation.command import keep
from jobs.evaluation.figures import Figure
from jobs.evaluation.proof import statistics
from jobs.evaluation.proof.experiment import record, refuse_another
from jobs.evaluation.proof.own_data.clips import identity_of_test
from jobs.evaluation.proof.own_data.material import Material, from_bytes, gather
from jobs.evaluation.proof.own_data.trainings import (
    ARMS,
    WITH,
    WITHOUT,
    read_correct,
    result_file,
    train_all,
)
from jobs.evaluation.report import Results, as_json
from jobs.evaluation.tables import TextTable
from pipelines.exports.edits import PublishedDataset
from pipelines.reliability.lease import Lease
from pipelines.storage import Storage, address
from pipelines.tables.record import SUCCESS
from pipelines.versions import PACKAGE_VERSION

STEPS = 400
"""Gradient steps of every training, with the edits and without."""
CLIPS = "clips.npz"
console = Console()


def prove_on(
    dataset: str,
    label: str,
    test: str,
    features: str,
    seeds: int,
    output: str,
    json_file: Path | None,
    steps: int = STEPS,
) -> Results:
    """Train with the edits of a dataset and without, test, print and write what they gained.

    A repeated call resumes from OUTPUT, and may ask for more seeds.

    Args:
        dataset: folder or fsspec URI of a run.
        label: name of the label, see `find_label`.
        test: see `read_test`.
        features: `SMALL`, or weights for `FrozenFeatures`.
        seeds: number of trainings of each arm.
        output: folder or fsspec URI.
        json_file: receives all figures.
        steps: gradient steps of every training.

    Raises:
        RunError: in one line, what is wrong with an input, or that OUTPUT holds something else.
    """
    published = PublishedDataset(Storage(dataset))
    test = address(test, "--test")
    storage = Storage(output)
    asked = {
        "dataset": published.identity,
        "label": label,
        "test": identity_of_test(test),
        "features": features,
        "steps": steps,
    }
    refuse_another(storage, asked)
    with Lease(storage):
        storage.remove(SUCCESS)
        if not storage.exists(CLIPS):
            material = gather(published, label, test, features)
            record(storage, asked)
            storage.write(CLIPS, material.as_bytes())
        material = from_bytes(storage.read(CLIPS))
        planned = [(arm, seed) for seed in range(seeds) for arm in ARMS]
        left = [which for which in planned if not storage.exists(result_file(*which))]
        done = train_all(material, features, steps, left, storage)
        for _ in track(done, "training", len(left), console=console):
            pass
        figures = asked | {"seeds": seeds} | _figures(storage, seeds, material)
        storage.write("prove.json", as_json(figures).encode())
        storage.write(SUCCESS, b"")
    _print(figures)
    keep(figures, json_file)
    return figures


def _figures(storage: Storage, seeds: int, material: Material) -> Results:
    without, with_edits = (read_correct(storage, arm, seeds) for arm in (WITHOUT, WITH))
    groups = material.test_labels.numpy()
    return {
        "package_version": PACKAGE_VERSION,
        "classes": material.classes,
        "clips": len(material.clips),
        "edits": len(material.edits),
        "test_clips": len(material.tests),
        "without": statistics.mean_accuracy(without),
        "with": statistics.mean_accuracy(with_edits),
        "gain": statistics.difference(with_edits, without),
        "worst_class_without": statistics.worst_group(without, groups),
        "worst_class_with": statistics.worst_group(with_edits, groups),
    }


def _print(figures: Results) -> None:
    rows = {
        "without edits": "without",
        "with edits": "with",
        "gain": "gain",
        "worst class without edits": "worst_class_without",
        "worst class with edits": "worst_class_with",
    }
    table = TextTable(
        ["accuracy", "value", "95 % interval"],
        [[said, *_cells(figures[name])] for said, name in rows.items()],
    )
    console.print(table.printable(), "")
    console.print(
        f"{figures['clips']} clips, {figures['edits']} edits, {figures['test_clips']} test clips, "
        f"{figures['seeds']} seeds: {conclusion(figures['gain'])}",
        highlight=False,
        soft_wrap=True,
    )


def _cells(figure: Figure) -> list[str]:
    value, low, high = (f"{100 * number:.1f} %" for number in asdict(figure).values())
    return [value, f"{low} … {high}"]


def conclusion(gain: Figure) -> str:
    """Returns in words whether edits gained anything."""
    if gain.low > 0:
        return "the edits help"
    if gain.high < 0:
        return "the edits harm"
    return "no gain or loss is shown: the interval contains 0"
