"""The targets of clips."""

from collections.abc import Sequence

from pipelines.errors import RowError
from pipelines.ids import content_id
from pipelines.prompters.base import Prompter
from pipelines.prompters.given import given_target
from pipelines.prompters.several import several_targets
from pipelines.rows import Row
from pipelines.stages.caption import composed
from pipelines.target_prompt import TargetPrompt


class Target:
    """Sets targets, a list of `schema.TARGET`: those of the manifest, else of the prompter.

    Of a clip with several objects, each target changes them all. Reads source_prompt, subject,
    objects, clip_id and target_group: clips of a group get equal targets if
    their prompts are equal. Fails with `NoTarget` if the prompter returns none.

    Args:
        prompter: derives target prompts.
        count: number of targets of a clip.
        seed: the run's seed.
    """

    def __init__(self, prompter: Prompter, count: int, seed: int) -> None:
        self.prompter = prompter
        self.count = count
        self.seed = seed

    def __call__(self, row: Row) -> Row:
        if row["targets"]:
            kept = [target | {"prompt": composed(target["prompt"])} for target in row["targets"]]
            return {"targets": kept}
        if row.get("given_edits"):  # clips of older steps have none
            given = given_target(row["source_prompt"], row["given_edits"])
            return {"targets": [given.as_row()]}
        group = row.get("target_group")  # clips of older steps have none
        named = {"clip": row["clip_id"]} if group is None else {"group": group}
        seed = int(content_id(**named, seed=self.seed)[:16], 16)
        targets = self._derive(row, seed)
        if not targets:
            raise RowError(
                "NoTarget",
                f"no {row['subject'] or 'subject'} that could be another in "
                f"{row['source_prompt']!r}: give targets in the manifest",
            )
        return {"targets": [target.as_row() for target in targets]}

    def _derive(self, row: Row, seed: int) -> Sequence[TargetPrompt]:
        objects = row.get("objects")  # clips of older steps have none
        if objects:
            return several_targets(self.prompter, row["source_prompt"], objects, self.count, seed)
        return self.prompter(row["source_prompt"], row["subject"], self.count, seed)
