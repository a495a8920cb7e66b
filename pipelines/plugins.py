"""Finding what a configuration names: built in, from another package, or `module:object`."""

from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from pipelines.config import Config
from pipelines.errors import ConfigError
from pipelines.prompts.noun_swap import NounSwap
from pipelines.stages.caption import Captioner, TemplateCaptioner
from pipelines.stages.edit import Editor, STRMatchEditor
from pipelines.stages.target import Prompter
from pipelines.stages.track import MotionTracker, NoTracker, Tracker

BUILT_IN: dict[str, dict[str, Any]] = {
    "tracker": {
        "motion": lambda config: MotionTracker(),
        "none": lambda config: NoTracker(),
        # Imported by who uses them: they take their time.
        "sam2": lambda config: import_module("pipelines.tracking.tracker").Sam2(config),
        "sam2_hf": lambda config: import_module("pipelines.tracking.tracker").Sam2HF(config),
    },
    "captioner": {"template": lambda config: TemplateCaptioner(config.annotate.caption_template)},
    "prompter": {"noun_swap": lambda config: NounSwap(config.annotate.target_kinds)},
    "editor": {"str_match": STRMatchEditor},
}


def find(kind: str, name: str) -> Any:
    """What makes the `kind` called `name` from a `Config`.

    Other packages offer theirs through the entry-point group `strmatch.<kind>`.

    Raises:
        ConfigError: there is none, or it cannot be imported.
    """
    if name in BUILT_IN[kind]:
        return BUILT_IN[kind][name]
    try:
        for entry in entry_points(group=f"strmatch.{kind}", name=name):
            return entry.load()
        if ":" in name:
            module, _, attribute = name.partition(":")
            return getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{kind} {name}: {error}") from error
    known = sorted([*BUILT_IN[kind], *(e.name for e in entry_points(group=f"strmatch.{kind}"))])
    raise ConfigError(
        f"no {kind} {name!r}; there is {', '.join(known)}, or name one as module:object"
    )


def make_tracker(config: Config) -> Tracker:
    return find("tracker", config.annotate.tracker)(config)


def make_captioner(config: Config) -> Captioner:
    return find("captioner", config.annotate.captioner)(config)


def make_prompter(config: Config) -> Prompter:
    return find("prompter", config.annotate.prompter)(config)


def find_editor(config: Config) -> type[Editor]:
    return find("editor", config.editor)
