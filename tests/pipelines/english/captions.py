"""Captions in the style of a vision-language model for stock footage, with the noun of each."""

import csv
from pathlib import Path
from typing import NamedTuple


class Said(NamedTuple):
    caption: str
    head: str
    """The noun that it is about, with what makes a compound of it."""


def captions() -> list[Said]:
    with Path(__file__).with_name("captions.tsv").open(encoding="utf-8", newline="") as file:
        return [Said(*row) for row in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]
