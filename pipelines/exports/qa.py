"""The format `qa`: the same question about source and edit, with different answers."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from pipelines.exports.lists import json_lines
from pipelines.exports.questions import COLUMNS, asked, assistant, user
from pipelines.rows import Row
from pipelines.storage import Storage


class QuestionsAndAnswers:
    """Writes `qa.jsonl`: question, answer and video, also as the messages of a conversation."""

    name = "qa"
    settings: Mapping[str, Any] = {}
    part_bytes = 0

    def columns(self, schema: pa.Schema) -> Sequence[str]:
        """See `Format`."""
        return COLUMNS

    def write_part(self, to: Storage, number: int, edits: Iterable[Row]) -> Iterator[Row]:
        """See `Format`."""
        for each in asked(to, edits):
            messages = [user(each.question), assistant(each.answer)]
            told = {"question": each.question, "answer": each.answer}
            yield each.names | told | {"messages": messages, "videos": [each.video]}

    def finish(self, to: Storage, entries: Callable[[], Iterator[Row]]) -> None:
        """See `Format`."""
        to.write_chunks("qa.jsonl", json_lines(entries()))
