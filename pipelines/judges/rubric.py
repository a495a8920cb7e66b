"""The question to a model that judges an edit, and the check of the answer.

The rubric is that of OpenVE-Bench (arXiv 2512.07826) in other words, without its variants by kind
of edit. A question is added for every swap of words between the prompts.
"""

import json
from collections.abc import Sequence
from typing import NamedTuple

from pipelines.english.swaps import Swap
from pipelines.vision_language.checked_answer import WrongAnswer

INTRODUCTION = """\
These are frames of two videos, in order. The left half of each image is the source, the right half
is the edit of the source. Grade the edit by whole numbers from 1 (worst) to 5 (best).
"instruction": whether the edit shows what it was to show. 1: nothing of that. 2: a part, or
something else. 3: most of that, with clear errors. 4: that with small errors. 5: exactly that.
"preservation": whether the edit keeps all that was not to change, with details and motion. 1: the
scene is lost. 2: much is wrong or missing. 3: visible errors. 4: small errors. 5: all is kept.
"quality": whether the edit is clean and stable. 1: broken, or flickers throughout. 2: distracting
flaws. 3: visible flaws. 4: small flaws. 5: no flaw.
"preservation" and "quality" must not be higher than "instruction"."""
SCORES = ("instruction", "preservation", "quality")
WORDS = "words"


class Verdict(NamedTuple):
    """An answer to the rubric: scores from 1 to 5, and whether each swap of words is seen."""

    instruction: int
    preservation: int
    quality: int
    words: tuple[bool, ...] = ()

    @property
    def score(self) -> float:
        """The mean of the three scores, 1 to 5.

        The second and third score count at most as much as the first. The first score is 1 if a
        swap of words is not seen.
        """
        most = self.instruction if all(self.words) else 1
        return (most + min(self.preservation, most) + min(self.quality, most)) / 3


def question(source_prompt: str, target_prompt: str, swaps: Sequence[Swap]) -> str:
    """Returns the instruction to a model that sees frames of source and edit side by side."""
    questions = "".join(f"\n{n}. {_question(swap)}" for n, swap in enumerate(swaps, 1))
    yes_or_no = ", ".join(['"yes or no"'] * len(swaps))
    scores = ", ".join(f'"{name}": 1 to 5' for name in SCORES)
    return (
        f"{INTRODUCTION}\n"
        f"The source shows: {source_prompt}\n"
        f"The edit was to show: {target_prompt}\n"
        f'"{WORDS}": answers, yes or no, to {len(swaps)} questions.{questions}\n'
        f'Answer with JSON alone, in this form: {{{scores}, "{WORDS}": [{yes_or_no}]}}'
    )


def _question(swap: Swap) -> str:
    if not swap.source:
        return f'Is "{swap.target}" seen in the edit?'
    if not swap.target:
        return f'Is "{swap.source}" of the source gone from the edit?'
    return f'Is "{swap.target}" seen in the edit in place of "{swap.source}", which is gone?'


def check(answer: str, questions: int) -> Verdict:
    """Parse an answer: a JSON object, which may stand in a Markdown fence.

    Args:
        questions: number of swaps that the question names.

    Raises:
        WrongAnswer: there is other text, a field is missing, unknown or repeated, a score is not a
            whole number from 1 to 5, or the answers to the questions are not all yes or no.
    """
    text = answer.strip()
    if text.endswith("```"):
        text = text.removeprefix("```json").removeprefix("```").removesuffix("```")
    try:
        fields = json.loads(text, object_pairs_hook=tuple)
    except (ValueError, RecursionError):
        raise WrongAnswer(answer, "it is not JSON alone.") from None
    if not isinstance(fields, tuple) or sorted(n for n, _ in fields) != sorted((*SCORES, WORDS)):
        names = ", ".join((*SCORES, WORDS))
        raise WrongAnswer(answer, f"it is not an object with the fields {names}.")
    values = dict(fields)
    for name in SCORES:
        if type(values[name]) is not int or not 1 <= values[name] <= 5:
            raise WrongAnswer(answer, f'its "{name}" is not a whole number from 1 to 5.')
    words = values[WORDS]
    if not isinstance(words, list) or len(words) != questions:
        raise WrongAnswer(answer, f'its "{WORDS}" is not a list of {questions} answers.')
    said = [word.lower() if isinstance(word, str) else word for word in words]
    if not all(word in ("yes", "no") for word in said):
        raise WrongAnswer(answer, f'its "{WORDS}" has answers other than yes and no.')
    return Verdict(**values | {WORDS: tuple(word == "yes" for word in said)})
