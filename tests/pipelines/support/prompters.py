"""Prompters constructed from a configuration."""

from collections.abc import Sequence
from functools import cache

from pipelines.config.loading import load_config
from pipelines.prompters.noun_swap import NounSwap


def noun_swap(kinds: Sequence[str]) -> NounSwap:
    """The prompter `noun_swap` for these target kinds."""
    return _noun_swap(tuple(kinds))


@cache
def _noun_swap(kinds: tuple[str, ...]) -> NounSwap:
    return NounSwap(load_config(assignments=[f"annotate.target_kinds=[{', '.join(kinds)}]"]))
