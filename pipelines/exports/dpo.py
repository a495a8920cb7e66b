"""The format `dpo`: questions about a video, with the right answer and that for the other video."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from pipelines.exports.lists import json_lines
from pipelines.exports.questions import COLUMNS, asked, assistant, user
from pipelines.rows import Row
from pipelines.storage import Storage


class Preferences:
    """Writes `dpo.jsonl`: conversational preferences as TRL reads them, with `videos`."""

    name = "dpo"
    settings: Mapping[str, Any] = {}
    part_bytes = 0

    def columns(self, schema: pa.Schema) -> Sequence[str]:
        """See `Format`."""
        return COLUMNS

    def write_part(self, to: Storage, number: int, edits: Iterable[Row]) -> Iterator[Row]:
        """See `Format`."""
        for each in asked(to, edits):
            chosen, rejected = [assistant(each.answer)], [assistant(each.other)]
            answers = {"prompt": [user(each.question)], "chosen": chosen, "rejected": rejected}
            yield answers | {"videos": [each.video]} | each.names

    def finish(self, to: Storage, entries: Callable[[], Iterator[Row]]) -> None:
        """See `Format`."""
        to.write_chunks("dpo.jsonl", json_lines(entries()))
