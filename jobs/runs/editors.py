"""Runs of several editors on the same clips and plan, each in a folder of its own."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from pipelines import telemetry
from pipelines.config.config import Config
from pipelines.errors import InputError, RunError
from pipelines.runs.open_run import open_run
from pipelines.storage import Storage

log = logging.getLogger(__name__)


@contextmanager
def open_runs(
    output: Storage, configs: Mapping[str, Config], input: str, limit: int | None
) -> Iterator[dict[str, Any]]:
    """Open the run OUTPUT/editors/NAME of every editor; yields the runs by name.

    Args:
        output: left out if the input holds it.
        configs: by the name of the editor.
        input, limit: as for `open_run`.

    Raises:
        RunError: in one line, what is wrong, found out before any work.
    """
    with ExitStack() as stack:
        opened = {}
        for name, config in configs.items():
            with _naming(name):
                run = open_run(
                    f"{output}/editors/{name}", config, input, limit, exclude=str(output)
                )
                opened[name] = stack.enter_context(run)
        yield opened


def run_all(opened: Mapping[str, Any]) -> None:
    """Run all phases of every editor. The first one finds the clips and plans the edits of all.

    An editor without an edit that is ok is complete, with a warning.

    Raises:
        RunError: a phase stopped.
    """
    from pipelines.runs.copy_run import share_plan

    first, *_ = opened.values()
    for name, run in opened.items():
        telemetry.RUN.set(str(run.output))
        log.info("editor %s", name)
        if run is first:
            run.run_phases(["annotate", "plan"])
        else:
            share_plan(first, run)
        with _naming(name):
            run.run_phases(["edit", "measure"])
            try:
                run.run_phases(["publish"])
            except RunError:
                if run.record.counts is None:
                    raise
                log.warning("editor %s: no edit is ok", name)


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """Name an editor in the errors of the block that are its own, as far as they do not."""
    try:
        yield
    except InputError:
        raise
    except RunError as error:
        if name in str(error):
            raise
        raise RunError(f"{name}: {error}") from error
