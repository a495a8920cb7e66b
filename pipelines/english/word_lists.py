"""The package's YAML files, nouns.yaml and words.yaml, each read once a process."""

from functools import cache
from importlib.resources import files
from typing import Any

import yaml

# libyaml's is ten times as fast: every worker waits for this before its first clip.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@cache
def read_list(name: str) -> Any:
    """The content of a file beside this one."""
    text = files("pipelines.english").joinpath(name).read_text(encoding="utf-8")
    return yaml.load(text, Loader=LOADER)
