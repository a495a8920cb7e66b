"""Read the YAML files of the package, nouns.yaml and words.yaml, once per process."""

from functools import cache
from importlib.resources import files
from typing import Any

import yaml

# The libyaml loader is ten times as fast, and every worker loads before its first clip.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@cache
def read_list(name: str) -> Any:
    """Return the parsed content of a YAML file in this package."""
    text = files("pipelines.english").joinpath(name).read_text(encoding="utf-8")
    return yaml.load(text, Loader=LOADER)
