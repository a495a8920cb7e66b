"""The questions about the videos of edits, as rows of conversations about one video each.

Messages have the form of chat templates of vision-language models: a list of blocks, in which a
video stands for the file in `videos`.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pipelines.english.change import EditedPrompt
from pipelines.english.questions import questions
from pipelines.exports import videos
from pipelines.rows import Row
from pipelines.storage import Storage

COLUMNS = (*videos.COLUMNS, "seed", *EditedPrompt.__dataclass_fields__)
"""The columns that `asked` reads."""


class Asked(NamedTuple):
    """A question about a video."""

    pair: str
    """The same for the question about the source and that about the edit."""
    type: str
    edited: bool
    """Whether the video is the edit."""
    video: str
    question: str
    answer: str
    other: str
    """The answer for the other video, which is wrong for this one."""

    @property
    def names(self) -> Row:
        """What names the question."""
        return {"pair": self.pair, "type": self.type, "edited": self.edited}


def asked(to: Storage, edits: Iterable[Row]) -> Iterator[Asked]:
    """Write the videos of edits; yields each question about the source, then about the edit.

    Videos of edits without questions are not written.
    """
    told = (row | {"questions": list(questions(row))} for row in edits)
    for row in videos.with_files(to, (row for row in told if row["questions"])):
        for number, each in enumerate(row["questions"]):
            pair, text = f"{row['row_id']}-{number}", each.question
            source, edited = row["source_file"], row["edited_file"]
            yield Asked(pair, each.type, False, source, text, each.source, each.edit)
            yield Asked(pair, each.type, True, edited, text, each.edit, each.source)


def user(question: str) -> Row:
    """Returns the message of a user who shows the video and asks."""
    return _message("user", [{"type": "video"}, {"type": "text", "text": question}])


def assistant(answer: str) -> Row:
    """Returns the message of an assistant who answers."""
    return _message("assistant", [{"type": "text", "text": answer}])


def _message(role: str, content: list[Row]) -> Row:
    return {"role": role, "content": content}
