"""Help texts that are printed as written. Rich would take words in brackets for markup."""

from inspect import cleandoc
from typing import get_type_hints

import typer
from rich.markup import escape
from typer.models import ParameterInfo


def escape_help(app: typer.Typer, escaped: set[int] | None = None) -> None:
    """Escape the help texts of all commands of an app and of its groups, and of their options.

    Args:
        escaped: ids of the options that are done; commands share options.
    """
    escaped = set() if escaped is None else escaped
    for command in app.registered_commands:
        if command.callback is None:
            continue
        command.help = escape(cleandoc(command.callback.__doc__ or ""))
        for hint in get_type_hints(command.callback, include_extras=True).values():
            for info in getattr(hint, "__metadata__", ()):
                if isinstance(info, ParameterInfo) and info.help and id(info) not in escaped:
                    escaped.add(id(info))
                    info.help = escape(info.help)
    for group in app.registered_groups:
        if group.typer_instance is not None:
            escape_help(group.typer_instance, escaped)
