"""The target prompt of the edits that a manifest names for several objects."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.english import grammar
from pipelines.english.subject import find_subject
from pipelines.english.tokens import is_determiner, tokenise
from pipelines.errors import RowError
from pipelines.target_prompt import ObjectEdit, TargetPrompt


def given_target(prompt: str, edits: Sequence[Mapping[str, Any]]) -> TargetPrompt:
    """Returns the caption with the words of all objects replaced.

    Args:
        prompt: the caption.
        edits: of the manifest, as `schema.GIVEN_EDIT`. Their places are the numbers of the objects.

    Raises:
        RowError: `NoTarget`, the caption does not name an object, or two by the same words.
    """
    places: dict[int, tuple[int, str]] = {}
    changes = []
    for number, edit in enumerate(edits):
        found = find_subject(prompt, edit["subject"])
        if found is None or found.begin in places:
            raise RowError(
                "NoTarget",
                f"edits: {prompt!r} names no {edit['subject']!r} of its own: give words of the "
                "caption, or a caption",
            )
        new = _bare(edit["target"])
        places[found.begin] = found.end, new
        own = grammar.with_article(new, found.number)
        changes.append(
            ObjectEdit(number, edit["subject"], own, source_word=found.phrase, target_word=new)
        )
    target = prompt
    for begin, (end, new) in sorted(places.items(), reverse=True):
        target = grammar.replace(target, begin, end, new)
    return TargetPrompt(target, edits=changes)


def _bare(words: str) -> str:
    """Returns words without determiners before them."""
    first = next((token for token in tokenise(words) if not is_determiner(token)), None)
    return words[first.start :] if first else words
