"""Questions that the two videos of an edit answer differently: "What colour is the car?"."""

import random
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pipelines.english.change import EditedPrompt, Wording, find_change
from pipelines.english.parts import parts_of
from pipelines.english.subject import find_subject, nouns_of
from pipelines.english.swaps import content_words
from pipelines.english.word_lists import read_list


class Question(NamedTuple):
    """A question with its answer for the source, and that for the edit."""

    type: str
    """open, choice or yes_no."""
    question: str
    source: str
    edit: str


def questions(row: Mapping[str, Any]) -> Iterator[Question]:
    """Yield the questions about an edit whose answers follow from its prompts.

    Of several objects, those about each in turn. None where the source's answer is not known: a
    thing that gets a colour may have had it before.
    Yes or no, and either or, are asked only if one answer excludes the other, and for the main
    subject only if that is what is swapped.

    Args:
        row: of the dataset, with `row_id`, `seed` and the columns of `EditedPrompt`.
    """
    drawn = random.Random(f"{row.get('seed')} {row['row_id']} choice")
    for part in parts_of(EditedPrompt.of_row(row)):
        yield from _questions(part, drawn)


def _questions(edit: EditedPrompt, drawn: random.Random) -> Iterator[Question]:
    """Yield the questions about the edit of one object."""
    change = find_change(edit).there
    fields = change.fields | {"Is": change.fields.get("is", "").capitalize()}
    either = [fields.get("old", ""), fields["new"]]
    drawn.shuffle(either)
    fields["first"], fields["second"] = either
    is_main = change.name != "replace" or _is_main(change.fields["noun"], edit.source_prompt)
    is_exclusive = _is_exclusive(change, edit)
    for asked in read_list("questions.yaml").get(change.name, ()):
        if is_main if asked["type"] == "open" else is_exclusive:
            source, after = (_answer(asked[name].format(**fields)) for name in ("source", "edit"))
            if source.lower() != after.lower():
                yield Question(asked["type"], asked["question"].format(**fields), source, after)


def _is_main(noun: str, prompt: str) -> bool:
    """Whether a noun is the main subject of a prompt."""
    main = find_subject(prompt)
    return main is not None and content_words(main.word)[-1:] == content_words(noun)[-1:]


def _is_exclusive(change: Wording, edit: EditedPrompt) -> bool:
    """Whether the source cannot be said to show what the edit shows, and the other way round."""
    old, new = change.fields.get("old", ""), change.fields["new"]
    if change.name == "recolour":
        return not set(content_words(old)) & set(content_words(new)) - {"and"}
    if change.name not in ("replace", "background"):
        return True
    return not (_is_said(old, edit.target_prompt) or _is_said(new, edit.source_prompt))


def _is_said(phrase: str, prompt: str) -> bool:
    """Whether a prompt has the last word of a phrase, or a noun that is of its kind."""
    if set(content_words(phrase)[-1:]) <= set(content_words(prompt)):
        return True
    of_phrase, of_prompt = nouns_of(phrase)[-1:], nouns_of(prompt)
    return any(one.includes(o) or o.includes(one) for one in of_phrase for o in of_prompt)


def _answer(text: str) -> str:
    """Returns an answer as a sentence."""
    return f"{text[0].upper()}{text[1:]}."
