"""The job behind `strmatch prove` in the small world: whether edits make a model better."""

import json
import time
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import track

from jobs.evaluation.command import check, keep
from jobs.evaluation.proof import pages
from jobs.evaluation.proof.edits import edit_clips
from jobs.evaluation.proof.experiment import record, refuse_another
from jobs.evaluation.proof.material import draw_clips, gather
from jobs.evaluation.proof.projection import projected_minutes
from jobs.evaluation.proof.results import Outcomes, Results, edit_figures, figures_of
from jobs.evaluation.proof.settings import FULL, MAIN_BIAS, QUICK, SETTINGS, Setting, Sizes
from jobs.evaluation.proof.trainings import planned, train_all
from jobs.evaluation.report import as_json
from pipelines.reliability.lease import Lease
from pipelines.storage import Storage
from pipelines.tables.record import SUCCESS
from pipelines.versions import PACKAGE_VERSION

console = Console()


def prove(output: str, seed: int, quick: bool, json_file: Path | None) -> Results:
    """Run the experiment in the small world, print its tables and write them to OUTPUT.

    A repeated call resumes from the edits and trainings in OUTPUT.

    Args:
        output: a folder or fsspec URI.
        seed: seed of all clips. Trainings have seeds of their own.
        quick: few clips and seeds, in half an hour.
        json_file: receives all figures.

    Raises:
        RunError: OUTPUT holds another experiment.
    """
    sizes = QUICK if quick else FULL
    if quick:
        console.print("quick: few clips and seeds, hence wide intervals", highlight=False)
    found = run_experiment(Storage(output), SETTINGS, sizes, seed) | {"quick": quick}
    _write(Storage(output), found)
    keep(found, json_file)
    return found


def run_experiment(
    storage: Storage,
    settings: tuple[Setting, ...],
    sizes: Sizes,
    seed: int,
    assignments: tuple[str, ...] = (),
) -> Results:
    """Edit, train and test. Returns all figures.

    Args:
        assignments: further settings of the runs that edit.
    """
    began = time.perf_counter()
    _, revision = check(None)
    with Lease(storage):
        experiment = _experiment(settings, sizes, seed, revision)
        refuse_another(storage, experiment)
        record(storage, experiment)
        storage.remove(SUCCESS)
        minutes = projected_minutes(settings, sizes, storage, seed)
        console.print(f"about {max(1, minutes):.0f} min on idle cores", highlight=False)
        by_setting = {
            setting.name: _prove_in(setting, sizes, storage, seed, assignments)
            for setting in settings
        }
    return {
        "clips": sizes.clips,
        "test_clips": sizes.test_clips,
        "seeds": sizes.seeds,
        "steps": sizes.steps,
        "bias": MAIN_BIAS,
        "seed": seed,
        "package_version": PACKAGE_VERSION,
        "model_revision": revision,
        "seconds": round(time.perf_counter() - began),
        "settings": by_setting,
    }


def _prove_in(
    setting: Setting, sizes: Sizes, storage: Storage, seed: int, assignments: tuple[str, ...]
) -> Results:
    clips = draw_clips(setting, sizes, seed)
    edits = edit_clips(setting, clips.samples, clips.frames, storage, assignments)
    material = gather(clips, edits, sizes, seed)
    left = sum(not storage.exists(one.name) for one in planned(setting, sizes))
    done = train_all(material, setting, sizes, storage)
    for _ in track(done, f"trainings, {setting.name}", left, console=console):
        pass
    outcomes = Outcomes(storage, setting, sizes)
    return {
        "label": setting.label,
        "nuisance": setting.nuisance,
        "edits": edit_figures(edits),
        **figures_of(outcomes, material.groups.numpy()),
    }


def _experiment(settings: tuple[Setting, ...], sizes: Sizes, seed: int, revision: str) -> Results:
    """All that the figures depend on, as JSON values."""
    experiment = {
        "seed": seed,
        "model_revision": revision,
        "sizes": asdict(sizes),
        "settings": [asdict(setting) for setting in settings],
    }
    found: Results = json.loads(json.dumps(experiment))
    return found


def _write(storage: Storage, found: Results) -> None:
    """Write the tables, plots and figures, and print the tables."""
    plots = pages.plots(found)
    written = {f"{name}.svg": svg for name, svg in plots.items()}
    written["prove.json"] = as_json(found).encode()
    written["prove.md"] = pages.markdown(found).encode()
    written["index.html"] = pages.html(found, plots).encode()
    for name, data in written.items():
        storage.write(name, data)
    storage.write(SUCCESS, b"")
    for table in pages.printable(found):
        console.print(table, "")
    console.print(f"page: {storage}/index.html", highlight=False)
