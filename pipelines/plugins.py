"""Finding what a configuration names: built in, from another package, or `module:object`."""

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Literal, get_args

from pipelines.captioners.template import TemplateCaptioner
from pipelines.config.config import Config
from pipelines.editors.base import Editor
from pipelines.editors.str_match import STRMatchEditor
from pipelines.errors import ConfigError, RunError
from pipelines.prompters.noun_swap import NounSwap
from pipelines.trackers.base import NoTracker
from pipelines.trackers.contrast import ContrastTracker
from pipelines.trackers.motion import MotionTracker
from strmatch.metrics.base import Metric

# What is written as module:object is imported where it is used.
BUILT_IN: dict[str, dict[str, Any]] = {
    "tracker": {
        "contrast": lambda config: ContrastTracker(),
        "motion": lambda config: MotionTracker(),
        "none": lambda config: NoTracker(),
        "sam2": "pipelines.trackers.sam2:Sam2",
        "sam2_hf": "pipelines.trackers.sam2:Sam2HF",
    },
    "captioner": {
        "miniature": "pipelines.captioners.miniature:MiniatureCaptioner",
        "template": lambda config: TemplateCaptioner(config.annotate.caption_template),
        "transformers_vlm": "pipelines.captioners.transformers_vlm:TransformersVLM",
        "openai": "pipelines.captioners.openai:OpenAI",
    },
    "prompter": {
        "noun_swap": lambda config: NounSwap(config.annotate.target_kinds),
        "llm": "pipelines.prompters.llm:LLM",
    },
    "editor": {
        "str_match": STRMatchEditor,
        "dmt": "pipelines.editors.baselines:DMTEditor",
        "sdedit": "pipelines.editors.baselines:SDEditEditor",
        "uniedit": "pipelines.editors.baselines:UniEditEditor",
    },
    "metric": {
        "frame_consistency": "pipelines.metrics:frame_consistency",
        "clip_similarity": "pipelines.metrics:clip_similarity",
        "background_difference": "pipelines.metrics:background_difference",
        "background_lpips": "pipelines.metrics:background_lpips",
        "motion_error": "pipelines.metrics:motion_error",
        "motion_error_raft": "pipelines.metrics:motion_error_raft",
    },
}


def find(kind: str, name: str) -> Any:
    """What makes the `kind` called `name` from a `Config`.

    Other packages offer theirs through the entry-point group `strmatch.<kind>`.

    Raises:
        ConfigError: there is none, or it cannot be imported.
    """
    maker = BUILT_IN[kind].get(name, name)
    if not isinstance(maker, str):
        return maker
    try:
        for entry in entry_points(group=f"strmatch.{kind}", name=maker):
            return entry.load()
        if ":" in maker:
            module, _, attribute = maker.partition(":")
            return getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{kind} {name}: {error}") from error
    known = sorted([*BUILT_IN[kind], *(e.name for e in entry_points(group=f"strmatch.{kind}"))])
    raise ConfigError(
        f"no {kind} {name!r}; there is {', '.join(known)}, or name one as module:object"
    )


Annotator = Literal["tracker", "captioner", "prompter"]


def on_gpu(kind: Annotator, config: Config) -> bool:
    """Whether the annotator that a configuration names says `on_gpu = True`."""
    return getattr(find(kind, getattr(config.annotate, kind)), "on_gpu", False)


def check_annotators(config: Config, used: bool) -> None:
    """Find the annotators that a configuration names and, if they are used, what they need.

    Whatever can be known before any work, an annotator's `check(config)` says by raising.

    Raises:
        RunError: in one line, which annotator cannot work, and why.
    """
    for kind in get_args(Annotator):
        name = getattr(config.annotate, kind)
        maker = find(kind, name)
        gpus = getattr(config.execution, f"gpus_per_{kind}", None)
        if gpus and not on_gpu(kind, config):
            raise ConfigError(f"execution.gpus_per_{kind} {gpus:g}: {kind} {name} runs on no GPU")
        if used:
            _check(kind, name, maker, config)


def check_metrics(config: Config, used: bool) -> None:
    """Likewise, the metrics.

    Raises:
        RunError: in one line, which metric cannot be computed, and why.
    """
    for name in config.measure.metrics:
        maker = find("metric", name)
        if used:
            _check("metric", name, maker, config)


def _check(kind: str, name: str, maker: Any, config: Config) -> None:
    if not hasattr(maker, "check"):
        return
    try:
        maker.check(config)
    except Exception as error:
        raise RunError(f"{kind} {name}: {' '.join(str(error).split())}") from error


class InWorker:
    """The annotator that a configuration names, made in the process that first calls it.

    What it loads does not travel from the driver to workers, and stays for their other tasks.
    """

    def __init__(self, kind: Annotator, config: Config) -> None:
        self.kind = kind
        self.config = config.model_dump_json()

    def load(self) -> None:
        """Make it now."""
        _made(self.kind, self.config)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return _made(self.kind, self.config)(*arguments, **named)


@cache
def _made(kind: str, config: str) -> Any:
    read = Config.model_validate_json(config)
    return find(kind, getattr(read.annotate, kind))(read)


def metrics(config: Config) -> dict[str, Metric]:
    """The metrics that a configuration names, made once in a process.

    Raises:
        RunError: one of them cannot be made; names the cause.
    """
    return _made_metrics(config.model_dump_json())


@cache
def _made_metrics(config: str) -> dict[str, Metric]:
    read, made = Config.model_validate_json(config), {}  # type: Config, dict[str, Metric]
    for name in read.measure.metrics:
        try:
            made[name] = find("metric", name)(read)
        except Exception as error:
            raise RunError(f"metric {name}: {' '.join(str(error).split())}") from error
    return made


def find_editor(config: Config) -> type[Editor]:
    return find("editor", config.editor)
