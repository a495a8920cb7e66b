"""The section `edit`: the settings of an edit, and its further tries."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import pydantic

from pipelines.config.sections import STRICT
from strmatch.settings import EditSettings
from strmatch.validation import check_minimum

# `strmatch` does not depend on pydantic. Here its settings are read as strictly as the sections.
pydantic.with_config(STRICT)(EditSettings)


@pydantic.with_config(STRICT)
@dataclass(frozen=True, kw_only=True)
class Edit(EditSettings):
    """The settings of str_match, and how often an edit outside the limits is made again."""

    tries: int = 0
    """Maximum number of further tries of an edit that `publish.limits` rejects. Rung k of `ladder`
    has the settings of try k. A stochastic editor takes the seed plus k. 0 disables. An output may
    be continued and published with another number."""

    ladder: tuple[dict[str, Any], ...] = field(default=(), metadata={"expert": True})
    """Settings of the further tries, one rung a try: [{guidance_scale: 6}, {lam: 0.2}]. A rung
    overrides fields of `edit` for str_match, and of `editor_options` for other editors. Settings
    that a rung leaves out are those of the first try. A stochastic editor needs no rungs."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_minimum(0, tries=self.tries)

    @property
    def settings(self) -> EditSettings:
        """The settings of the method."""
        names = (each.name for each in dataclasses.fields(EditSettings))
        return EditSettings(**{name: getattr(self, name) for name in names})
