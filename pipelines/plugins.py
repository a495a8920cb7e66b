"""The plug-ins that a configuration names: found, checked, and built where they work."""

from functools import cache
from typing import TYPE_CHECKING, Any, Literal, get_args, overload

from pipelines import registry
from pipelines.config.config import Config
from pipelines.config.options import choose, chosen
from pipelines.errors import ConfigError, Rejected, RunError
from pipelines.registry import BUILT_IN, Kind, names
from strmatch.weights.locate import check_available

if TYPE_CHECKING:
    from pipelines.captioners.base import Captioner
    from pipelines.editors.base import Editor
    from pipelines.prompters.base import Prompter
    from pipelines.trackers.base import Tracker
    from strmatch.metrics.base import Metric

__all__ = [
    "BUILT_IN",
    "Annotator",
    "InWorker",
    "check_annotators",
    "check_editor",
    "check_metrics",
    "find",
    "find_editor",
    "metrics",
    "metrics_on_gpu",
    "names",
    "on_gpu",
    "windowed_metrics",
]

Annotator = Literal["tracker", "captioner", "prompter"]


@overload
def find(kind: Literal["tracker"], name: str) -> "type[Tracker]": ...
@overload
def find(kind: Literal["captioner"], name: str) -> "type[Captioner]": ...
@overload
def find(kind: Literal["prompter"], name: str) -> "type[Prompter]": ...
@overload
def find(kind: Literal["editor"], name: str) -> "type[Editor]": ...
@overload
def find(kind: Literal["metric"], name: str) -> "type[Metric]": ...
def find(kind: Kind, name: str) -> Any:
    """The class of the plug-in called `name`: built in, an entry point, or `module:Class`.

    Other packages offer plug-ins through the entry-point group `strmatch.<kind>`.

    Raises:
        ConfigError: no plug-in has this name, or its import failed.
    """
    return registry.find(kind, name)


def find_editor(config: Config) -> "type[Editor]":
    """The class of the editor that a configuration names.

    Raises:
        ConfigError: no editor has this name, or its import failed.
    """
    return find("editor", config.editor)


def on_gpu(kind: Annotator, config: Config) -> bool:
    """Whether the annotator that a configuration names runs on a GPU where there is one."""
    return choose(kind, config).on_gpu


def metrics_on_gpu(config: Config) -> bool:
    """Whether a metric that a configuration names runs on a GPU where there is one."""
    return any(choose("metric", config, name).on_gpu for name in config.measure.metrics)


def windowed_metrics(config: Config) -> list[str]:
    """The metrics that are computed for each window of a clip.

    Empty if no clip is longer than a window.
    """
    if config.clip.span == "window":
        return []
    return [name for name in config.measure.metrics if getattr(find("metric", name), "worst", None)]


def check_annotators(config: Config, used: bool) -> None:
    """Find the annotators that a configuration names and, if used, check what they need.

    Raises:
        RunError: in one line, which annotator cannot work, and why.
    """
    for kind in get_args(Annotator):
        choice = choose(kind, config)
        gpus = getattr(config.execution, f"gpus_per_{kind}", None)
        if gpus and not on_gpu(kind, config):
            raise ConfigError(
                f"execution.gpus_per_{kind} {gpus:g}: {kind} {choice.name} runs on no GPU"
            )
        _check(kind, choice.name, config, used)
    count, tracker = config.annotate.objects_per_edit, choose("tracker", config)
    if count > 1 and not hasattr(tracker.plugin, "objects"):
        raise ConfigError(
            f"annotate.objects_per_edit {count}: tracker {tracker.name} follows the subject alone"
        )


def check_editor(config: Config) -> None:
    """Find the editor that a configuration names, and check what the editor needs.

    Raises:
        RunError: in one line, why the editor cannot work.
    """
    _check("editor", config.editor, config, used=True)


def check_metrics(config: Config, used: bool) -> None:
    """Find the metrics that a configuration names and, if used, check what they need.

    Raises:
        RunError: in one line, which metric cannot be computed, and why.
    """
    for kind, name in chosen(config):
        if kind == "metric":
            _check(kind, name, config, used and name in config.measure.metrics)
    gpus = config.execution.gpus_per_metric
    if gpus and not metrics_on_gpu(config):
        raise ConfigError(f"execution.gpus_per_metric {gpus:g}: no metric runs on a GPU")


def _check(kind: Kind, name: str, config: Config, used: bool) -> None:
    choice = choose(kind, config, name)
    choice.validate()
    if not used:
        return
    try:
        choice.call("check")
        for source in choice.call("models") or ():
            check_available(source, config.execution.access)
    except Exception as error:
        raise RunError(f"{kind} {name}: {' '.join(str(error).split())}") from error


_ANY: Any = object
"""A base class that makes `InWorker` fit the protocol of every kind."""


class InWorker(_ANY):
    """Stands for the annotator that a configuration names, built in the process that calls it.

    The models of the annotator are not sent from the driver to workers, and stay loaded for the
    later tasks of a worker.
    """

    def __init__(self, kind: Annotator, config: Config) -> None:
        self.kind = kind
        self.config = config.model_dump_json()

    def load(self) -> None:
        """Build the annotator now."""
        _built(self.kind, self.config)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return _built(self.kind, self.config)(*arguments, **named)

    def objects(self, *arguments: Any) -> Any:
        """See `Tracker.objects`.

        Raises:
            Rejected: `NoMask`, the tracker follows the subject alone.
        """
        built = _built(self.kind, self.config)
        if not hasattr(built, "objects"):
            raise Rejected(
                "NoMask",
                f"{type(built).__name__} follows the subject alone: give every edit of the "
                "manifest a mask_uri, or take another annotate.tracker",
            )
        return built.objects(*arguments)


@cache
def _built(kind: Annotator, config: str) -> Any:
    return choose(kind, Config.model_validate_json(config)).build()


def metrics(config: Config) -> "dict[str, Metric]":
    """The metrics that a configuration names, built once in a process.

    Raises:
        RunError: a metric cannot be built; names the cause.
    """
    return _built_metrics(config.model_dump_json())


@cache
def _built_metrics(config: str) -> "dict[str, Metric]":
    read = Config.model_validate_json(config)
    built = {}
    for name in read.measure.metrics:
        try:
            built[name] = choose("metric", read, name).build()
        except Exception as error:
            raise RunError(f"metric {name}: {' '.join(str(error).split())}") from error
    return built
