"""Tables of text cells: as Markdown to keep, and for a terminal."""

from collections.abc import Sequence
from typing import NamedTuple

import rich.table


class TextTable(NamedTuple):
    """A heading for every column, and rows of as many cells."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """The table as lines of Markdown, without a final newline."""
        lines = [self.head, ["---"] * len(self.head), *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def printable(self, padding: int = 2) -> rich.table.Table:
        """The table without borders, with `padding` spaces on both sides of every cell."""
        table = rich.table.Table(*self.head, box=None, padding=(0, padding))
        for row in self.rows:
            table.add_row(*row)
        return table
