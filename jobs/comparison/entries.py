"""The editors of a comparison, as a user names them."""

import json
import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import yaml

from pipelines.config.config import Config
from pipelines.config.fingerprints import SETTINGS
from pipelines.config.loading import load_config
from pipelines.errors import ConfigError
from pipelines.registry import names
from strmatch.presets import PRESETS

OWN = (*SETTINGS["plan"], "execution")
"""The settings that an editor may have of its own. All others are shared."""
FILES = (".yaml", ".yml")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def read_editors(
    text: str, preset: str, file: str | None, assignments: Collection[str]
) -> dict[str, Config]:
    """Returns the configuration of every editor by its name, in order.

    Args:
        text: entries WHAT or NAME=WHAT, separated by commas. WHAT is an editor, a preset, or a YAML
            file with the sections `OWN`. The default of NAME is WHAT.
        preset, file, assignments: the shared settings, as for `load_config`.

    Raises:
        ConfigError: in one line, which entry is wrong and why.
    """
    configs: dict[str, Config] = {}
    for entry in (part.strip() for part in text.split(",")):
        name, equals, what = entry.partition("=")
        what = what if equals else name
        if not NAME.fullmatch(name):
            raise ConfigError(
                f"--editors {entry!r}: a name has letters, digits and ._- only; write NAME={what}"
            )
        if name in configs:
            raise ConfigError(
                f"--editors: two editors are called {name}; name one of them otherwise, NAME={what}"
            )
        configs[name] = _config(what, preset, file, assignments)
    if len(configs) < 2:
        raise ConfigError(f"--editors {text}: a comparison needs two editors or more")
    return configs


def _config(what: str, preset: str, file: str | None, assignments: Iterable[str]) -> Config:
    if what.endswith(FILES):
        return load_config(preset, file, [*assignments, *_own_settings(what)])
    if what in names("editor") or ":" in what:
        return load_config(preset, file, [*assignments, f"editor={json.dumps(what)}"])
    if what in PRESETS:
        shared = load_config(preset, file, assignments)
        own = load_config(what, None, assignments)
        return shared.model_copy(update={name: getattr(own, name) for name in SETTINGS["plan"]})
    raise ConfigError(
        f"--editors: {what!r} is no editor ({', '.join(names('editor'))}), no preset "
        f"({', '.join(PRESETS.names())}), and no YAML file"
    )


def _own_settings(file: str) -> list[str]:
    """Returns the sections of a file as assignments."""
    try:
        values: Any = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"--editors {file}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"--editors {file}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"--editors {file}: must hold sections: {', '.join(OWN)}")
    for section in values:
        if section not in OWN:
            raise ConfigError(
                f"--editors {file}: {section} is no setting of one editor; a file has "
                f"{', '.join(OWN)}, and all else is shared: give it by --config or --set"
            )
    return [f"{section}={json.dumps(value)}" for section, value in values.items()]
