"""A question to a model, repeated once with the reason if the answer is not accepted."""

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
SHOWN = 120
"""Maximum length of an answer in a message, characters."""


class WrongAnswer(Exception):
    """Raised for an answer that is not accepted.

    Args:
        answer: the text of the answer.
        reason: what is wrong, as a sentence with the subject "it".
    """

    def __init__(self, answer: str, reason: str) -> None:
        super().__init__(answer, reason)
        self.answer = answer
        self.reason = reason

    @property
    def shown(self) -> str:
        """The answer in quotes, on one line, shortened to `SHOWN` characters."""
        line = " ".join(self.answer.split())
        return repr(line if len(line) <= SHOWN else f"{line[: SHOWN - 1]}…")


def checked_answer(ask: Callable[[str], str], instruction: str, check: Callable[[str], T]) -> T:
    """Return the checked answer of a model, at the second attempt if the first is wrong.

    Args:
        ask: sends an instruction to the model and returns the answer.
        instruction: what the model is to answer. The second attempt adds the reason of the refusal.
        check: converts an answer, or raises `WrongAnswer`.

    Raises:
        WrongAnswer: the second answer is wrong, too.
    """
    try:
        return check(ask(instruction))
    except WrongAnswer as wrong:
        again = f"{instruction} Your last answer was wrong: {wrong.reason}"
    return check(ask(again))
