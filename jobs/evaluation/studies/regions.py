"""The study `regions`: the prompts and borders of regions, one choice at a time."""

from collections.abc import Iterator

from jobs.evaluation.miniature.cases import EditCase
from jobs.evaluation.objects.examiner import DEFAULT, Choice
from jobs.evaluation.objects.suite import object_figures
from jobs.evaluation.pool import Pool, Task
from jobs.evaluation.studies.studies import Row

CHOICES: dict[str, Choice] = {
    "default": DEFAULT,
    "named by noun": Choice(named_by="noun"),
    "named by caption": Choice(named_by="caption"),
    "named by the whole caption": Choice(named_by="whole"),
    "no dilation": Choice(dilates=False),
}
"""The first is that of the suite `objects`: every region has the words of its object in the caption
of all objects. Captions are not words of this caption, and guide their regions alone."""


def study_regions(pool: Pool, cases: list[EditCase]) -> Iterator[Row]:
    """Edits all objects of clips by region, with one other choice in every row."""
    for label, choice in CHOICES.items():
        tasks: list[Task] = [("choose", (label, case, i, choice)) for i, case in enumerate(cases)]
        rows = [clip.row for clips in pool.run(tasks) for clip in clips]
        yield label, dict(object_figures(rows))
