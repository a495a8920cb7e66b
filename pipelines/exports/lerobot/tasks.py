"""The texts of tasks: those of a dataset, and what an edit changes in them."""

import unicodedata

from pipelines.english import grammar
from pipelines.english.change import EditedPrompt
from pipelines.english.tokens import whole_words
from pipelines.sources.lerobot.dataset import LeRobotDataset
from pipelines.sources.lerobot.v21 import read_lines

TASKS = "meta/tasks.parquet"
TASKS_V21 = "meta/tasks.jsonl"


def read_tasks(source: LeRobotDataset) -> list[str]:
    """Returns the texts of all tasks, by task_index."""
    if source.version == "v3.0":
        table = source.storage.read_table(TASKS)
        (text,) = (name for name in table.column_names if name != "task_index")
        named = dict(zip(table["task_index"].to_pylist(), table[text].to_pylist(), strict=True))
    else:
        lines = read_lines(source.storage, TASKS_V21)
        named = {line["task_index"]: line["task"] for line in lines}
    return [named[index] for index in range(len(named))]


def rewrite(task: str, edit: EditedPrompt) -> str:
    """Returns the task of an edited episode: the new words in the place of those replaced.

    A task without these words stays as it is.
    """
    if unicodedata.normalize("NFC", task.strip()) == edit.source_prompt:
        return edit.target_prompt
    found = [
        (*match.span(), part.target_word)
        for part in edit.parts
        if part.source_word and part.target_word
        for match in whole_words(part.source_word).finditer(task)
    ]
    for start, end, new in sorted(found, reverse=True):
        task = grammar.replace(task, start, end, new)
    return task
