"""The annotation stages of a configuration, in one process."""

from pipelines.config.config import Config
from pipelines.plugins import InWorker
from pipelines.stages.caption import Caption
from pipelines.stages.target import Target
from pipelines.stages.track import Track


class Chain:
    """Caption, mask and targets of clips, by the annotators that a configuration names."""

    def __init__(self, config: Config) -> None:
        choice = config.annotate
        self.caption = Caption(choice.captioner, InWorker("captioner", config))
        self.track = Track(
            choice.tracker,
            InWorker("tracker", config),
            choice.mask_check,
            objects=choice.objects_per_edit,
        )
        self.target = Target(InWorker("prompter", config), choice.targets_per_clip, config.seed)
