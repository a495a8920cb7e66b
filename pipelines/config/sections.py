"""The sections of a configuration: every field with its default, unit and meaning.

`strmatch config show` prints these texts. They are the manual of the settings.
"""

import os
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from pipelines.errors import ConfigError
from pipelines.registry import BUILT_IN, Kind
from pipelines.schema import metric_column
from pipelines.target_prompt import Kind as TargetKind
from strmatch.presets import PRESETS
from strmatch.weights.remote import is_remote
from strmatch.weights.source import NEEDED, TRANSFORMERS, Access, Source

STRICT = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Section(BaseModel):
    """A group of settings. Unknown keys are refused, values cannot be changed."""

    model_config = STRICT


def expert(default: Any, **constraints: Any) -> Any:
    """A field that few users change: `config show` prints it with `--all` only."""
    return Field(default=default, json_schema_extra={"expert": True}, **constraints)


def of_plugins(default: Any, **constraints: Any) -> Any:
    """A field that `config show` prints if a chosen plug-in `reads` it, or with `--all`."""
    return Field(default=default, json_schema_extra={"of_plugins": True}, **constraints)


def listed(kind: Kind) -> str:
    """The names of the built-in plug-ins of a kind, for the text of a field."""
    return ", ".join(BUILT_IN[kind])


def _absolute(weights: str) -> str:
    # Workers have another working directory than the command.
    return os.path.abspath(weights) if os.path.isdir(weights) else weights


Weights = Annotated[str, pydantic.AfterValidator(_absolute)]
"""A Hugging Face hub id, a folder, or an fsspec URI."""


class Pretrained(Section):
    """A published model that is not part of this project."""

    weights: Weights
    revision: str | None = None
    """Commit of the hub id in `weights`, required for a hub id. Null for a folder or URI."""

    @pydantic.model_validator(mode="before")
    @classmethod
    def _own_revision(cls, values: Any) -> Any:
        # The default commit belongs to the default weights.
        chosen = isinstance(values, Mapping) and "weights" in values
        return {"revision": None, **values} if chosen else values

    @property
    def is_pinned(self) -> bool:
        """Whether the weights cannot change: a folder, a URI, or a hub id with a commit."""
        local = is_remote(self.weights) or os.path.isabs(self.weights)
        return local or self.revision is not None

    def source(
        self, files: tuple[str, ...] = TRANSFORMERS, needed: tuple[str, ...] = NEEDED
    ) -> Source:
        """The weights, of which these files are taken from the hub and are needed."""
        return Source(self.weights, self.revision, files, needed)

    def refuse_unpinned(self, section: str) -> None:
        """Refuse a hub id without a commit.

        Args:
            section: where the configuration holds this model, as `annotate.vlm`.

        Raises:
            ConfigError: the hub id has no commit.
        """
        if not self.is_pinned:
            raise ConfigError(
                f"{section}: {self.weights} is no folder; of a hub id, set "
                f"{section}.revision to a commit, too"
            )


class Sam2(Pretrained):
    weights: Weights = "facebook/sam2.1-hiera-tiny"
    """SAM2: a hub id, a folder, or an fsspec URI. The tracker sam2_hf reads safetensors, the
    tracker sam2 reads one .pt file."""


class Detector(Pretrained):
    weights: Weights = "google/owlv2-base-patch16-ensemble"
    """Open-vocabulary detector (OWLv2, Grounding DINO): a hub id, a folder, or an fsspec URI."""
    threshold: float = expert(0.2, ge=0, le=1)
    """Minimum score of a detection, 0–1."""
    frames: int = expert(4, ge=1)
    """Number of evenly spaced frames of a clip that are searched."""


class MaskCheck(Section):
    required: bool = expert(True)
    """Reject clips in which the tracker finds no subject. False: edit them without a mask."""
    min_area: float = expert(0.002, ge=0, le=1)
    """Minimum area of a mask as a share of the frame, 0–1; median over the frames."""
    max_area: float = expert(0.6, ge=0, le=1)
    """Maximum area of a mask as a share of the frame, 0–1; median over the frames."""
    max_empty: float = expert(0.25, ge=0, le=1)
    """Maximum share of frames without a mask, 0–1."""
    max_shift: float = expert(0.2, ge=0)
    """Maximum distance that the centre of the mask moves between neighbouring frames, in frame
    diagonals."""
    max_growth: float = expert(0.75, ge=0)
    """Maximum change of the area of the mask between neighbouring frames, in median areas."""


class Captions(Section):
    frames: int = expert(8, ge=1)
    """Number of evenly spaced frames of a clip that the model is shown."""
    max_new_tokens: int = expert(96, ge=1)
    """Maximum length of an answer, tokens. A truncated answer is not accepted as a caption."""
    min_words: int = expert(4, ge=1)
    """Minimum length of a caption, words."""
    max_words: int = expert(40, ge=1)
    """Maximum length of a caption, words. The text encoder of CLIP reads 75 tokens."""

    @pydantic.model_validator(mode="after")
    def _in_order(self) -> "Captions":
        if self.min_words > self.max_words:
            raise ValueError(f"min_words {self.min_words} is over max_words {self.max_words}")
        return self


class VisionLanguageModel(Pretrained):
    weights: Weights = "Qwen/Qwen3-VL-4B-Instruct"
    """Vision-language model: a hub id, a folder, or an fsspec URI, with safetensors and the files
    of the processor."""
    revision: str | None = "ebb281ec70b05090aa6165b016eac8ec08e71b17"
    """Commit of the hub id in `weights`, required for a hub id. Null for a folder or URI."""
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = expert("auto")
    """Precision of the weights. auto: bfloat16 on a GPU, float32 on a CPU."""


class ServedModel(Section):
    model: str | None = None
    """Name of the model on the server. Null: no server is used."""
    extra: dict[str, Any] = expert({})
    """Additional fields of each request. Null as a value removes a field that the server
    refuses."""


class Annotate(Section):
    tracker: str = Field(
        default="contrast",
        description=f"Plug-in that finds the mask of the subject: {listed('tracker')}, the name of "
        "an entry point, or module:Class.",
    )
    tracker_options: dict[str, Any] = of_plugins({})
    """Options that the tracker declares."""
    sam2: Sam2 = of_plugins(Sam2())
    """Model of the trackers sam2_hf and sam2."""
    detector: Detector = of_plugins(Detector())
    """Model that finds the subject for the trackers sam2_hf and sam2, which follow it through the
    other frames."""
    mask_check: MaskCheck = MaskCheck()
    """Limits for masks. A clip with a mask outside these limits is rejected. A clip longer than
    `clip.num_frames` must be within them in every second."""
    captioner: str = Field(
        default="miniature",
        description=f"Plug-in that captions a clip: {listed('captioner')}, the name of an entry "
        "point, or module:Class.",
    )
    captioner_options: dict[str, Any] = of_plugins({})
    """Options that the captioner declares."""
    caption_template: str = of_plugins("a video of an object")
    """Caption of every clip by the captioner template."""
    captions: Captions = of_plugins(Captions())
    """Input and limits of captions by transformers_vlm and openai."""
    vlm: VisionLanguageModel = of_plugins(VisionLanguageModel())
    """Model of the captioner transformers_vlm and the metric vlm_judge."""
    endpoint: ServedModel = of_plugins(ServedModel())
    """Model of the captioner openai, the prompter llm and the metric vlm_judge, served at
    `execution.endpoint`."""
    prompter: str = Field(
        default="noun_swap",
        description=f"Plug-in that derives target prompts: {listed('prompter')}, the name of an "
        "entry point, or module:Class.",
    )
    prompter_options: dict[str, Any] = of_plugins({})
    """Options that the prompter declares."""
    objects_per_edit: int = Field(default=1, ge=1)
    """Maximum number of objects that an edit changes at once: the subject, then the others that the
    caption names, in its order. More than 1 needs a tracker that follows several objects."""
    targets_per_clip: int = Field(default=2, ge=1)
    """Number of target prompts derived per clip."""
    target_kinds: tuple[TargetKind, ...] = of_plugins(("noun_near", "recolour"), min_length=1)
    """What target prompts change, in turn: noun_near (a similar noun), noun_far (a noun of another
    branch), recolour, restyle, background."""


class Backbone(Section):
    weights: str
    """Text-to-video model: the name of a preset, or a folder or fsspec URI in diffusers layout."""

    @pydantic.field_validator("weights")
    @classmethod
    def _absolute(cls, weights: str) -> str:
        # Workers have another working directory than the command.
        return weights if weights in PRESETS or is_remote(weights) else os.path.abspath(weights)

    dtype: Literal["auto", "float32", "float16", "bfloat16"] = expert("auto")
    """Precision of the weights. auto: float32 on a CPU; on a GPU float16, bfloat16 for models with
    joint attention."""


class ClipModel(Pretrained):
    weights: Weights = "openai/clip-vit-large-patch14"
    """CLIP model: a hub id, or a folder or fsspec URI in transformers layout. miniature: the CLIP
    of the embedded presets."""
    revision: str | None = "32bd64288804d66eefd0ccbe215aa642df71cc41"
    """Commit of the hub id in `weights`, required for a hub id. Null for a folder or URI."""

    @property
    def is_pinned(self) -> bool:
        """Whether the weights cannot change: embedded, a folder, a URI, or a hub id with a
        commit."""
        return self.weights == "miniature" or super().is_pinned


class Measure(Section):
    metrics: tuple[str, ...] = Field(
        default=("frame_consistency", "background_difference", "motion_error"),
        description=f"Metrics of every edit: {listed('metric')}, the names of entry points, or "
        "module:Class. The embedded presets add clip_similarity by their own CLIP.",
    )
    options: dict[str, dict[str, Any]] = of_plugins({})
    """Options that metrics declare, by the name of the metric: {mine: {radius: 3}}."""
    clip: ClipModel = of_plugins(ClipModel())
    """Model of the metric clip_similarity."""
    rife: Weights | None = of_plugins(None)
    """Folder or fsspec URI with flownet.pkl of RIFE 4.0, by which frame_consistency interpolates.
    Null: by optical flow."""
    lpips: Weights | None = of_plugins(None)
    """Folder or fsspec URI with alexnet-owt-7be5be79.pth and alex.pth, required for
    background_lpips."""
    raft: Weights | None = of_plugins(None)
    """Folder or fsspec URI with raft_large_C_T_SKHT_V2-ff5fadd5.pth, required for
    motion_error_raft."""

    @pydantic.field_validator("metrics")
    @classmethod
    def _distinct(cls, metrics: tuple[str, ...]) -> tuple[str, ...]:
        columns = Counter(metric_column(name) for name in metrics)
        twice = [column for column, count in columns.items() if count > 1]
        if twice:
            raise ValueError(f"two metrics would have the column {twice[0]}")
        return metrics


class Bounds(Section):
    min: float | None = Field(default=None, allow_inf_nan=False)
    """Minimum value. Null: no minimum."""
    max: float | None = Field(default=None, allow_inf_nan=False)
    """Maximum value. Null: no maximum."""

    @pydantic.model_validator(mode="after")
    def _in_order(self) -> "Bounds":
        if self.min is None and self.max is None:
            raise ValueError("give a min, a max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is over max {self.max:g}")
        return self


class Publish(Section):
    limits: dict[str, Bounds | None] = {}
    """Limits by metric: {motion_error: {max: 3}}. An edit outside is rejected. A metric without a
    value rejects nothing. Of a clip longer than `clip.num_frames`, the worst window counts. Null
    removes a limit of the preset; null instead of all limits removes them all."""
    size: Literal["model", "source"] = "model"
    """Size of the videos of edits that are ok. model: that of a clip. source: that of the source,
    over whose frames an edit is laid. ANNOTATE stores clips at that size, too. An output may be
    continued and published with another value."""
    file_mb: float = Field(default=128.0, gt=0)
    """Approximate size of a Parquet file of the dataset, megabytes. The edits of a clip stay in one
    file."""
    partition_by: tuple[str, ...] = ()
    """Columns of the manifest that become folders of the dataset: dataset/split=train/…"""

    @property
    def bounds(self) -> dict[str, Bounds]:
        """The limits in force, by metric."""
        return {name: bounds for name, bounds in self.limits.items() if bounds is not None}


class Server(Section):
    base_url: str | None = None
    """URL of an OpenAI-compatible server: http://host:8000/v1. Null: no server is used."""
    api_key_env: str | None = None
    """Environment variable that holds the API key, on every machine. Null: no key."""
    timeout: float = expert(60.0, gt=0)
    """Timeout of one request, seconds."""
    attempts: int = expert(4, ge=1)
    """Maximum number of requests per answer, retried with exponential backoff. Requests that the
    server answers with 429 and Retry-After do not count."""
    total_timeout: float = expert(300.0, gt=0)
    """Timeout of one answer including all retries, seconds. A caption, and a value of vlm_judge,
    take up to two answers."""

    @pydantic.field_validator("base_url")
    @classmethod
    def _plain(cls, base_url: str | None) -> str | None:
        if base_url is None:
            return None
        url = urlsplit(base_url)
        if url.scheme not in ("http", "https") or not url.hostname or "@" in url.netloc:
            raise ValueError(
                "write it as http://host:8000/v1, and a key into api_key_env's variable"
            )
        return base_url.rstrip("/")


class EditServer(Server):
    base_url: str | None = None
    """URL of a server of edits, see `infra/edit_server`: http://host:8080/v1. Null: no server is
    used."""
    timeout: float = expert(600.0, gt=0)
    """Timeout of one request, seconds, with the wait in the server's queue."""
    total_timeout: float = expert(1800.0, gt=0)
    """Timeout of one edit including all retries, seconds. `execution.deadline`, which bounds all
    edits of a clip, must be larger."""
    max_answer_mb: float = expert(512.0, gt=0)
    """Maximum size of an edited video, MB."""


class Execution(Section):
    editors: int | None = Field(default=None, ge=1)
    """Number of editors that work in parallel. Null: one per GPU, or all CPUs of a machine but
    one."""
    gpus_per_editor: float | None = Field(default=None, ge=0)
    """GPUs per editor; may be a fraction. Null: 1 if the cluster has GPUs, else 0."""
    gpus_per_captioner: float | None = expert(None, ge=0)
    """GPUs per captioner, for captioners that run on GPUs. Null: as for editors."""
    gpus_per_tracker: float | None = expert(None, ge=0)
    """GPUs per tracker with its detector, for trackers that run on GPUs. Null: as for editors."""
    gpus_per_metric: float | None = expert(None, ge=0)
    """GPUs per worker of MEASURE, if a metric runs on GPUs. Null: as for editors."""
    torch_threads: int | None = expert(None, ge=1)
    """CPU threads per editor. Null: the cores of the machine, divided among its editors."""
    memory: Literal["normal", "lean"] = "normal"
    """lean: the same edits with less GPU memory, in more time. An editor that runs out of memory
    switches to lean."""
    compiled: bool = False
    """Compile the passes of the UNet. On a GPU this reduces the time of an edit by about one third,
    after some minutes of compilation per editor. The last digits of results differ."""
    weights: Weights | None = None
    """Folder or fsspec URI that `strmatch weights fetch --preset` wrote. Models are taken from
    there instead of from the hub. Null: from the hub."""
    offline: bool = False
    """Use the models that each machine has cached, or that `weights` holds, and open no connection
    to fetch others."""
    ray_address: str | None = None
    """Address of a Ray cluster. Null: $RAY_ADDRESS, else a cluster of this machine alone."""
    wait_for_resources: float = expert(0.0, ge=0)
    """Timeout for an autoscaler to add a machine that an editor fits on, seconds."""
    deadline: float = Field(default=3600.0, gt=0)
    """Timeout of each of these, seconds: decoding a video, one annotation of a clip, editing a clip
    to all its targets, measuring these edits. Multiplied by the number of windows of a clip longer
    than `clip.num_frames`."""
    attempts: int = expert(3, ge=1)
    """Number of isolated attempts before an item that kills its worker is marked WorkerDied."""
    max_failed_share: float = Field(default=1.0, ge=0, le=1)
    """Maximum share of failed rows, 0–1. A phase above it is stopped."""
    storage_options: dict[str, Any] = {}
    """Options for fsspec (endpoints, profiles). Pass secrets by environment variables instead."""
    report_rows: int = expert(500, ge=0)
    """Number of successful edits, sampled by seed, whose videos are included in the report. Failed
    and rejected rows are always included."""
    endpoint: Server = of_plugins(Server())
    """Server of the captioner openai, the prompter llm and the metric vlm_judge."""
    edit_server: EditServer = of_plugins(EditServer())
    """Server of the editor http."""

    @property
    def access(self) -> Access:
        """How weights may be reached."""
        return Access(self.offline, self.weights)
