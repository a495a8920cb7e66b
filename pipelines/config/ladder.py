"""The rungs of `edit.ladder`: the settings of the further tries of an edit."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from pipelines.config.config import Config
from pipelines.config.options import Choice, choose
from pipelines.errors import ConfigError
from strmatch.settings import EditSettings
from strmatch.validation import did_you_mean, with_overrides


def at_rung(config: Config, number: int) -> Config:
    """The configuration of the editor that makes try `number` of an edit.

    Args:
        config: the run's configuration.
        number: 0 for the first try. A number without a rung has the settings of the first try.

    Raises:
        ConfigError: there is no such editor, or a value of the rung does not fit.
    """
    ladder = config.edit.ladder
    changes = ladder[number - 1] if 1 <= number <= len(ladder) else {}
    if not changes:
        return config
    if getattr(choose("editor", config).plugin, "ladder_section", "editor_options") == "edit":
        return config.model_copy(update={"edit": _with_changes(config, changes, number)})
    options = {**config.editor_options, **changes}
    return config.model_copy(update={"editor_options": options})


def _with_changes(config: Config, changes: Mapping[str, Any], number: int) -> Any:
    known = [field.name for field in dataclasses.fields(EditSettings)]
    for name in changes:
        if name not in known:
            raise ConfigError(f"{_rung(number)}: {name}: no such key{did_you_mean(name, known)}")
    try:
        return with_overrides(config.edit, **changes)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{_rung(number)}: {error}") from None


def validate_ladder(config: Config) -> None:
    """Validate `edit.tries` and every rung of `edit.ladder`, if the editor is installed here.

    Raises:
        ConfigError: in one line, which rung cannot work, or a deterministic editor would repeat an
            edit.
    """
    try:
        choice = choose("editor", config)
    except ConfigError:  # a run refuses an unknown editor
        return
    edit, stochastic = config.edit, choice.plugin.stochastic
    if edit.tries > len(edit.ladder) and not stochastic:
        raise ConfigError(
            f"edit.tries {edit.tries}: each try of the deterministic editor {config.editor} needs "
            f"a rung with other settings, and edit.ladder has {len(edit.ladder)}"
        )
    made = [_settings(config)]
    for number in range(1, len(edit.ladder) + 1):
        changed = at_rung(config, number)
        try:
            Choice("editor", config.editor, choice.plugin, changed).validate()
        except ConfigError as error:
            raise ConfigError(f"{_rung(number)}: {error}") from None
        if _settings(changed) in made and not stochastic:
            raise ConfigError(
                f"{_rung(number)}: an earlier try has the same settings, and editor "
                f"{config.editor} is deterministic"
            )
        made.append(_settings(changed))


def _settings(config: Config) -> tuple[EditSettings, dict[str, Any]]:
    return config.edit.settings, config.editor_options


def _rung(number: int) -> str:
    return f"edit.ladder, rung {number}"
