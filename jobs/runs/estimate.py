"""The job of `strmatch run --dry-run`: an estimate of a run's results, time and cost."""

import tempfile
from dataclasses import dataclass

import pyarrow.compute as pc
from rich.console import Console
from rich.table import Table

from pipelines.config.config import Config
from pipelines.config.windows import count_windows
from pipelines.runs.open_run import open_run
from pipelines.schema import unique
from pipelines.sources.listing import list_sources
from pipelines.storage import Storage
from pipelines.tables.edits import EDITS_FOLDER, committed
from pipelines.tables.plan import read_plan
from pipelines.tables.record import read_record

SAMPLE = 3
"""Number of sources that are edited to measure the speed."""


@dataclass(frozen=True)
class Speed:
    """Measured averages per source."""

    origin: str
    """Where the speed was measured, in words."""
    clips: float
    windows: float
    """Windows of the backbone in these clips. Their number is proportional to the time of edits."""
    edits: float
    tries: float
    """Further tries of edits outside the limits."""
    annotate_seconds: float
    """Wall time of the cluster."""
    window_seconds: float
    """Time of one editor for a window and all its edits."""
    measure_seconds: float
    """Wall time of the cluster."""
    bytes: float
    """Size in the dataset."""


def estimate(
    input: str, output: str, config: Config, limit: int | None, gpu_hour: float | None
) -> None:
    """Print estimates of counts, hours, bytes and, with a price per GPU hour, dollars.

    The speed is that of the run in `output` if it edited clips, else that of a sample. Nothing is
    written to `output`.

    Args:
        input, output, config, limit: as for `commands.run`.
        gpu_hour: price of a GPU hour in dollars.
    """
    options = config.execution.storage_options
    sources = list_sources(input, config, exclude=Storage(output, options)).slice(0, limit)
    from pipelines.cluster import allocate, cluster  # imports Ray

    with cluster(config.execution):
        speed = _stored(Storage(output, options), config) or _measured(input, config, limit)
        part = allocate(config.execution, max(1, round(len(sources) * speed.clips)))
    count = len(sources)
    windows = count * speed.windows
    hours = windows * speed.window_seconds / 3600
    table = Table(show_header=False, box=None, padding=(0, 2))
    table.add_row("speed from", speed.origin)
    table.add_row("sources", str(count))
    table.add_row("clips", f"about {count * speed.clips:.0f}")
    table.add_row("windows", f"about {windows:.0f}")
    table.add_row("edits", f"about {count * speed.edits:.0f}")
    if config.edit.tries:
        table.add_row("further tries", f"about {count * speed.tries:.0f}")
    table.add_row("annotate", f"about {_time(count * speed.annotate_seconds)} on this cluster")
    wall = _time(hours * 3600 / part.workers)
    table.add_row("edit", f"about {wall} on this cluster, with {part.workers} editors")
    table.add_row("measure", f"about {_time(count * speed.measure_seconds)} on this cluster")
    if part.gpus:
        table.add_row("GPU-hours", f"about {hours * part.gpus:.2f}")
        if gpu_hour is not None:
            table.add_row("GPU cost", f"about ${hours * part.gpus * gpu_hour:.2f}")
    else:
        table.add_row("editor-hours", f"about {hours:.2f}, on CPUs")
    table.add_row("dataset", f"about {count * speed.bytes / 2**20:.1f} MB")
    Console().print(table)


def _stored(output: Storage, config: Config) -> Speed | None:
    """Returns the speed of the run in `output` if its last command ran these phases, else None."""
    record = read_record(output)
    phases = record.phases if record else {}
    if not all(phases.get(phase, {}).get("new") for phase in ("annotate", "edit", "measure")):
        return None
    return _speed(output, config, phases, "the run in this output")


def _measured(input: str, config: Config, limit: int | None) -> Speed:
    """Returns the speed of `SAMPLE` evenly spaced sources, run in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder, open_run(folder, config, input, limit) as run:
        count = len(run.sources)
        few = min(SAMPLE, count)
        run.sources = run.sources.take([index * count // few for index in range(few)])
        run.all_phases()
        origin = f"{few} sources, edited for this"
        return _speed(run.output, config, run.record.phases, origin)


def _speed(
    output: Storage, config: Config, phases: dict[str, dict[str, int | float]], origin: str
) -> Speed:
    sources = phases["annotate"]["sources"]
    seconds = [
        pc.sum(output.read_table(name, ["seconds"])["seconds"]).as_py() or 0.0
        for name in output.find(EDITS_FOLDER, ".parquet")
    ]
    plan = read_plan(output)
    made = pc.is_in(plan["edit_id"], committed(output, plan)["edit_id"])
    lengths = unique(plan.filter(made), "clip_row")["num_frames"].to_pylist()
    windows = sum(count_windows(config, length) for length in lengths)
    clips, edits = phases["annotate"]["clips"] / sources, phases["plan"]["planned"] / sources
    tries = phases["edit"].get("tries", 0) / sources
    return Speed(
        origin,
        clips,
        clips * windows / max(len(lengths), 1),
        edits,
        tries,
        phases["annotate"]["seconds"] / phases["annotate"]["new"],
        sum(seconds) / max(windows, 1),
        (edits + tries) * phases["measure"]["seconds"] / phases["measure"]["new"],
        output.fs.du(output.path("dataset")) / sources,
    )


def _time(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"
