"""The study `regions`: the prompts and borders of regions, one choice at a time."""

from collections.abc import Iterator

from jobs.evaluation.miniature.cases import EditCase
from jobs.evaluation.objects.examiner import DEFAULT, Choice
from jobs.evaluation.objects.suite import object_figures
from jobs.evaluation.pool import Pool, Task
from jobs.evaluation.studies.studies import Row

CHOICES: dict[str, Choice] = {
    "default": DEFAULT,
    "guided by own words": Choice(guided_by="words"),
    "guided by the whole caption": Choice(guided_by="whole"),
    "scored by joined captions": Choice(scored_by="joined"),
    "scored by the source": Choice(scored_by="source"),
    "no dilation": Choice(dilates=False),
}
"""The first is that of the suite `objects`: every region is guided by the caption of its object
alone, and the score is conditioned on the caption of all objects."""


def study_regions(pool: Pool, cases: list[EditCase]) -> Iterator[Row]:
    """Edits all objects of clips by region, with one other choice in every row."""
    for label, choice in CHOICES.items():
        tasks: list[Task] = [("choose", (label, case, i, choice)) for i, case in enumerate(cases)]
        rows = [clip.row for clips in pool.run(tasks) for clip in clips]
        yield label, dict(object_figures(rows))
