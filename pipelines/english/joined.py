"""Join instructions into one sentence: "Turn the red car blue and the dog into a fox."."""

from collections.abc import Sequence

OPENINGS = ("Edit the video so that it shows", "Edit the video so that")
NOT_JOINED = (" and ", " as if ", ":", "“")
"""What an instruction has that cannot be followed by another one in its sentence."""


def joined(instructions: Sequence[Sequence[str]]) -> list[str]:
    """Return a sentence for each wording of the first instruction that can be joined.

    Wordings of the others that begin with the same verb are preferred, and the verb is said once.

    Args:
        instructions: at least two, each in several wordings, sentences with a full stop.
    """
    first, *others = (
        [text.removesuffix(".") for text in wordings if not any(n in text for n in NOT_JOINED)]
        for wordings in instructions
    )
    sentences = []
    for number, text in enumerate(first):
        said = [text]
        for wordings in others:
            alike = [other for other in wordings if other.split()[0] == text.split()[0]]
            fitting = alike or wordings
            said.append(_without_shared(text, fitting[number % len(fitting)]))
        *before, last = said
        sentences.append(f"{', '.join(before)} and {last}.")
    return sentences


def _without_shared(first: str, other: str) -> str:
    """Return an instruction without the verb, or the opening, that the first one has as well."""
    for opening in (*OPENINGS, first.split()[0]):
        if first.startswith(f"{opening} ") and other.startswith(f"{opening} "):
            return other.removeprefix(f"{opening} ")
    return other[0].lower() + other[1:]
