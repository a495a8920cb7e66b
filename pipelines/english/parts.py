"""The prompt of one of the changes that an edit of several objects makes."""

from dataclasses import replace

from pipelines.english import grammar
from pipelines.english.change import EditedPrompt
from pipelines.english.subject import find_subject
from pipelines.english.tokens import whole_words


def parts_of(edit: EditedPrompt) -> list[EditedPrompt]:
    """Return the edit of each object, in words that can be told alone.

    An edit of the manifest has no kind: the difference of the prompts has to show that edit alone.
    """
    return [
        part if part.target_kind else replace(part, target_prompt=part_prompt(part))
        for part in edit.parts
    ]


def part_prompt(part: EditedPrompt) -> str:
    """Return the source prompt in which the words of one object are swapped.

    Args:
        part: one of `EditedPrompt.parts`.

    Returns:
        The target prompt of the whole edit if the words are not found.
    """
    source, target = part.source_word, part.target_word
    named = find_subject(part.source_prompt, part.subject) if part.subject else None
    if not source or not target:
        return part.target_prompt
    start = named.begin if named else 0
    word = whole_words(source)
    match = word.search(part.source_prompt, start) or word.search(part.source_prompt)
    if match is None:
        return part.target_prompt
    return grammar.replace(part.source_prompt, *match.span(), target)
