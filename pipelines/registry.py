"""The names of plug-ins, by kind. See `pipelines/README.md` for how to add one."""

from typing import Any, Literal

from pipelines.errors import ConfigError
from strmatch.registry import Registry, load

Kind = Literal["tracker", "captioner", "prompter", "editor", "metric"]

BUILT_IN: dict[Kind, dict[str, str]] = {
    "tracker": {
        "contrast": "pipelines.trackers.contrast:ContrastTracker",
        "motion": "pipelines.trackers.motion:MotionTracker",
        "sam2_hf": "pipelines.trackers.sam2:Sam2HF",
        "sam2": "pipelines.trackers.sam2:Sam2",
        "sam3": "pipelines.trackers.sam3:Sam3",
        "none": "pipelines.trackers.none:NoTracker",
    },
    "captioner": {
        "miniature": "pipelines.captioners.miniature:MiniatureCaptioner",
        "transformers_vlm": "pipelines.captioners.transformers_vlm:TransformersVLM",
        "openai": "pipelines.captioners.openai:OpenAI",
        "template": "pipelines.captioners.template:TemplateCaptioner",
    },
    "prompter": {
        "noun_swap": "pipelines.prompters.noun_swap:NounSwap",
        "llm": "pipelines.prompters.llm:LLM",
    },
    "editor": {
        "str_match": "pipelines.editors.str_match:STRMatchEditor",
        "sdedit": "pipelines.editors.baselines:SDEditEditor",
        "dmt": "pipelines.editors.baselines:DMTEditor",
        "uniedit": "pipelines.editors.baselines:UniEditEditor",
        "flowedit": "pipelines.editors.baselines:FlowEditEditor",
        "diffusers": "pipelines.editors.diffusers.editor:DiffusersEditor",
        "http": "pipelines.editors.http.editor:HttpEditor",
    },
    "metric": {
        "frame_consistency": "pipelines.metrics:FrameConsistency",
        "clip_similarity": "pipelines.metrics:ClipSimilarity",
        "background_difference": "pipelines.metrics:BackgroundDifference",
        "background_peak": "pipelines.metrics:BackgroundPeak",
        "background_lpips": "pipelines.metrics:BackgroundLPIPS",
        "motion_error": "pipelines.metrics:MotionError",
        "motion_error_raft": "pipelines.metrics:RaftMotionError",
        "subject_motion": "pipelines.metrics:SubjectMotion",
        "changed": "pipelines.metrics:Changed",
        "seam": "pipelines.metrics:Seam",
        "drift": "pipelines.metrics:Drift",
        "edited": "pipelines.judges.edited:Edited",
        "recaption": "pipelines.judges.recaption:Recaption",
        "vlm_judge": "pipelines.judges.vlm_judge:VLMJudge",
    },
}
"""Kind and name to `module:Class`. Each class is made of a `Config`."""

REGISTRIES: dict[Kind, Registry] = {kind: Registry(kind, named) for kind, named in BUILT_IN.items()}


def names(kind: Kind) -> list[str]:
    """The names of a kind: built-in plug-ins, then those of the group `strmatch.<kind>`."""
    return REGISTRIES[kind].names()


def find(kind: Kind, name: str) -> Any:
    """Import the plug-in called `name`: built in, an entry point, or `module:Class`.

    Raises:
        ConfigError: no plug-in has this name, or its import failed.
    """
    if ":" not in name and name not in REGISTRIES[kind]:
        known = ", ".join(sorted(names(kind)))
        raise ConfigError(f"no {kind} {name!r}; there is {known}, or name one as module:object")
    try:
        return load(name) if ":" in name else REGISTRIES[kind].load(name)
    except Exception as error:  # the module of a plug-in may raise anything
        raise ConfigError(f"{kind} {name}: {' '.join(str(error).split())}") from error
