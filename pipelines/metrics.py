"""The metrics by their names in a configuration.

A metric of a configuration is a plug-in: a class, built as `Metric(config)`, whose instances are
`strmatch.metrics.base.Metric`s. `measure.metrics` chooses by name; other packages add names through
the entry-point group `strmatch.metric`. A whole metric:

    class Brightness:
        \"""Mean brightness of the edited clip. Unit: 0–255.\"""

        class Options(pipelines.config.options.Options):
            gain: float = 1.0
            \"""Factor of the result.\"""

        def __init__(self, config: Config, options: Options) -> None:
            self.gain = options.gain

        def __call__(self, sample: Sample) -> float:
            return self.gain * float(sample.edited.mean())

The first paragraph of the class docstring, and one that begins with "Unit:", describe the metric in
the dataset card. A class without `Options` is built of `config` alone. Options are those of
`measure.options.<name>`. The hooks `validate`, `models` and `check` are optional: see
`pipelines.config.options`. Metrics run in tasks on CPUs. If a metric has `on_gpu`, all metrics run
in a pool of workers with a GPU each.

A metric that is a mean over frames declares `worst`, "lowest" or "highest". The metric of a clip
longer than `clip.num_frames` is then computed for each window of this length: see
`pipelines.stages.metrics.windowed_metrics`. Other metrics receive the whole clip.

A metric that declares `worst` may declare `by_object` as True. In an edit of several objects, the
metric is then computed for each of them as for an edit of that object alone, and its value for the
edit is the worst one: see `pipelines.stages.metrics.object_metrics`.

The built-in classes below load a metric of `strmatch.metrics` with its weights. Their libraries are
imported, and weights are fetched, in the process that builds them.
"""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Literal

from pipelines.config.config import Config
from pipelines.config.windows import window_stride
from strmatch.metrics.base import Metric, Sample
from strmatch.registry import load
from strmatch.weights.errors import WeightsError
from strmatch.weights.locate import local_folder, one_file
from strmatch.weights.source import Source


class LibraryMetric:
    """A metric of `strmatch.metrics` that needs no weights."""

    place: ClassVar[str]
    """`module:Class` of the metric."""
    reads: ClassVar[tuple[str, ...]] = ()
    worst: ClassVar[Literal["lowest", "highest"] | None] = None
    """The worst of the values of a clip's windows; None: the metric needs the whole clip."""
    by_object: ClassVar[bool] = False
    """Whether each of several edited objects has a value."""

    def __init__(self, config: Config) -> None:
        self.metric: Metric = self.library_class()()

    @classmethod
    def library_class(cls) -> Callable[..., Metric]:
        """The class of `strmatch.metrics`, whose docstring defines the metric."""
        return load(cls.place)

    def __call__(self, sample: Sample) -> float:
        return self.metric(sample)


class _WithFolder(LibraryMetric):
    """A metric of a folder of weights that a field of the section `measure` names."""

    field: ClassVar[str]
    files: ClassVar[tuple[str, ...]]
    """Patterns. The folder must hold a file for each."""

    def __init__(self, config: Config) -> None:
        self.metric = on_cpu(self.library_class(), self.weights(config))

    @classmethod
    def models(cls, config: Config) -> list[Source]:
        """The weights.

        Raises:
            WeightsError: no folder or URI is named.
        """
        folder = getattr(config.measure, cls.field)
        if folder is None:
            raise WeightsError(f"name a folder or URI with its weights: measure.{cls.field}")
        source = Source(folder, needed=cls.files)
        if not (source.is_uri or source.is_local):
            raise WeightsError(f"measure.{cls.field}: there is no folder {folder}")
        return [source]

    @classmethod
    def weights(cls, config: Config) -> Path:
        """The local folder of the weights, fetched first if it is remote."""
        (source,) = cls.models(config)
        return local_folder(source, config.execution.access)


class _WithFile(_WithFolder):
    """A metric of the one file in such a folder."""

    @classmethod
    def weights(cls, config: Config) -> Path:
        (pattern,) = cls.files
        return one_file(super().weights(config), pattern)


class FrameConsistency(_WithFile):
    """`frame_consistency`: interpolates by RIFE if `measure.rife` is set, else by optical flow."""

    place = "strmatch.metrics.frame_consistency:FrameConsistency"
    worst = "lowest"
    reads = ("measure.rife",)
    field, files = "rife", ("flownet*",)

    def __init__(self, config: Config) -> None:
        from strmatch.metrics.frame_consistency import FrameConsistency
        from strmatch.metrics.interpolation.rife import RIFE

        by_rife = config.measure.rife is not None
        interpolators = [on_cpu(RIFE, self.weights(config))] if by_rife else []
        self.metric = FrameConsistency(*interpolators)

    @classmethod
    def models(cls, config: Config) -> list[Source]:
        return super().models(config) if config.measure.rife else []


class ClipSimilarity(LibraryMetric):
    """`clip_similarity`, by the model of `measure.clip`."""

    place = "strmatch.metrics.clip_similarity:ClipSimilarity"
    worst = "lowest"
    reads = ("measure.clip",)

    def __init__(self, config: Config, *options: Any) -> None:
        self.metric = on_cpu(self.library_class(), self.weights(config))

    @classmethod
    def validate(cls, config: Config, *options: Any) -> None:
        """Raises ConfigError for a hub id without a commit."""
        config.measure.clip.refuse_unpinned("measure.clip")

    @classmethod
    def models(cls, config: Config, *options: Any) -> list[Source]:
        """The weights, unless they are embedded."""
        model = config.measure.clip
        return [] if model.weights == "miniature" else [model.source()]

    @classmethod
    def weights(cls, config: Config) -> Path:
        """The local folder of the model, fetched first if it is remote."""
        model = config.measure.clip
        if model.weights == "miniature":
            from strmatch.backbones.folder import weights_folder

            return weights_folder("miniature") / "clip"
        return local_folder(model.source(), config.execution.access)


class BackgroundDifference(LibraryMetric):
    """`background_difference`."""

    place = "strmatch.metrics.background:BackgroundDifference"
    worst = "highest"


class BackgroundPeak(LibraryMetric):
    """`background_peak`."""

    place = "strmatch.metrics.background:BackgroundPeak"
    worst = "highest"


class Changed(LibraryMetric):
    """`changed`."""

    place = "strmatch.metrics.changed:Changed"
    by_object = True
    worst = "lowest"


class SubjectMotion(LibraryMetric):
    """`subject_motion`."""

    place = "strmatch.metrics.subject_motion:SubjectMotion"
    by_object = True
    worst = "highest"


class Seam(LibraryMetric):
    """`seam`, at the borders of the editor's windows."""

    place = "strmatch.metrics.seam:Seam"

    def __init__(self, config: Config) -> None:
        self.metric = self.library_class()(config.clip.num_frames, window_stride(config))


class Drift(LibraryMetric):
    """`drift`."""

    place = "strmatch.metrics.drift:Drift"


class BackgroundLPIPS(_WithFolder):
    """`background_lpips`, by the weights in `measure.lpips`."""

    place = "strmatch.metrics.lpips:BackgroundLPIPS"
    worst = "highest"
    reads = ("measure.lpips",)
    field, files = "lpips", ("alexnet*", "alex.*")


class MotionError(LibraryMetric):
    """`motion_error`."""

    place = "strmatch.metrics.motion_error:MotionError"
    worst = "highest"


class RaftMotionError(_WithFile):
    """`motion_error_raft`, by the weights in `measure.raft`."""

    place = "strmatch.metrics.raft:RaftMotionError"
    worst = "highest"
    reads = ("measure.raft",)
    field, files = "raft", ("raft_large*",)

    @classmethod
    def check(cls, config: Config) -> None:
        """Raises WeightsError if torchvision is not installed."""
        if find_spec("torchvision") is None:
            raise WeightsError("needs torchvision: pip install 'strmatch[raft]'")


def on_cpu(cls: Any, weights: Path, *others: Any) -> Any:
    """Load a model on the CPU. A task without a GPU of its own still sees those of the machine.

    Args:
        others: further arguments after the device.
    """
    return cls(weights, "cpu", *others)
