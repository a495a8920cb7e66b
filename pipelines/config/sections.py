"""The sections of a configuration: every field with its default and what it means."""

import os
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from pipelines.errors import ConfigError
from pipelines.schema import metric_column
from pipelines.target_prompt import Kind
from strmatch.presets import NAMES

STRICT = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Section(BaseModel):
    model_config = STRICT


def _absolute(weights: str) -> str:
    # Workers do not share the folder that a command is given in.
    return os.path.abspath(weights) if os.path.isdir(weights) else weights


Weights = Annotated[str, pydantic.AfterValidator(_absolute)]
"""A hub id, or a folder or fsspec URI."""


class Clip(Section):
    num_frames: int = Field(ge=2)
    """Frames of a clip."""
    height: int = Field(ge=8, multiple_of=2)
    """Height of a clip in pixels."""
    width: int = Field(ge=8, multiple_of=2)
    """Width of a clip in pixels."""
    fps: float = Field(gt=0)
    """Frames a second. A shot too short for one clip at this rate is sampled faster."""
    stride: int | None = Field(default=None, ge=1)
    """Take every n-th frame of the video instead of sampling at `fps`."""
    fit: Literal["crop", "pad"] = "crop"
    """Bring a video to the clip's shape by cropping its centre, or by adding black borders."""
    max_clips_per_video: int | None = Field(default=4, ge=1)
    """Clips taken from one video, the first ones. Null: all."""
    split_shots: bool = True
    """No clip crosses a cut. False: a video is one shot, and is not looked through for cuts."""
    skip_black: int | None = Field(default=24, ge=0, le=255)
    """Reject a clip that shows, mostly, nothing brighter than this, of 255. Null: take it."""
    skip_static: int | None = Field(default=None, ge=0, le=255)
    """Reject a clip no place of which ever changes by more than this, of 255. Null: take it. In a
    still scene it is noise that changes, by 8 or less."""
    skip_duplicates: int | None = Field(default=12, ge=0, le=255)
    """Reject a clip that shows nothing but what another of the same video showed: frames no place
    of which differs by more than this, of 255. Null: take it."""
    crf: int = Field(default=12, ge=0, le=51)
    """H.264 quality of stored clips and edits; lower is better and larger."""


class Pretrained(Section):
    """A published model that is not this project's own."""

    weights: Weights
    revision: str | None = None
    """The commit to take from the hub. A hub id without one is refused."""

    @pydantic.model_validator(mode="before")
    @classmethod
    def _own_revision(cls, values: Any) -> Any:
        # Other weights have no commit in common with the default ones.
        chosen = isinstance(values, Mapping) and "weights" in values
        return {"revision": None, **values} if chosen else values

    @property
    def is_pinned(self) -> bool:
        """Whether the weights are the same every day."""
        local = "://" in self.weights or os.path.isabs(self.weights)
        return local or self.revision is not None

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
    """A hub id, or a folder or fsspec URI: with safetensors for sam2_hf, with one .pt for sam2."""


class Detector(Pretrained):
    weights: Weights = "google/owlv2-base-patch16-ensemble"
    """An open-vocabulary detector (OWLv2, Grounding DINO): a hub id, or a folder or fsspec URI."""
    threshold: float = Field(default=0.2, ge=0, le=1)
    """Score below which nothing counts as found."""
    frames: int = Field(default=4, ge=1)
    """Frames of a clip that are searched, evenly spaced."""


class MaskCheck(Section):
    min_area: float = Field(default=0.002, ge=0, le=1)
    """Share of the frame that a mask must cover, in the median of its frames."""
    max_area: float = Field(default=0.6, ge=0, le=1)
    """Share of the frame that a mask may cover, in the median of its frames."""
    max_empty: float = Field(default=0.25, ge=0, le=1)
    """Share of a clip's frames in which the mask may be empty."""
    max_shift: float = Field(default=0.2, ge=0)
    """How far the mask's centre may move from a frame to the next, in frame diagonals."""
    max_growth: float = Field(default=0.75, ge=0)
    """How much the mask's area may change from a frame to the next, in median areas."""


class Captions(Section):
    frames: int = Field(default=8, ge=1)
    """Frames of a clip that a model is shown, evenly spaced."""
    max_new_tokens: int = Field(default=96, ge=1)
    """Tokens of an answer. One that is cut off is no caption."""
    min_words: int = Field(default=4, ge=1)
    """Words that a caption has at least."""
    max_words: int = Field(default=40, ge=1)
    """Words that a caption has at most. CLIP's text encoder reads 75 tokens."""

    @pydantic.model_validator(mode="after")
    def _in_order(self) -> "Captions":
        if self.min_words > self.max_words:
            raise ValueError(f"min_words {self.min_words} is over max_words {self.max_words}")
        return self


class VisionLanguageModel(Pretrained):
    weights: Weights = "Qwen/Qwen3-VL-4B-Instruct"
    """A hub id, or a folder or fsspec URI with safetensors and the files of the processor."""
    revision: str | None = "ebb281ec70b05090aa6165b016eac8ec08e71b17"
    """The commit to take from the hub. A hub id without one is refused."""
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    """Precision of the weights. auto: bfloat16 on a GPU, float32 on a CPU."""


class ServedModel(Section):
    model: str | None = None
    """What the server calls the model."""
    extra: dict[str, Any] = {}
    """Further fields of a request, and null for one that the server does not take."""


class Annotate(Section):
    tracker: str = "contrast"
    """Finds the subject's mask: contrast, motion, sam2_hf, sam2, none, or module:object."""
    sam2: Sam2 = Sam2()
    """The model of the trackers sam2_hf and sam2."""
    detector: Detector = Detector()
    """Finds in some frames what the trackers sam2_hf and sam2 follow through the others."""
    mask_check: MaskCheck = MaskCheck()
    """Which masks are not worth an edit."""
    tracker_options: dict[str, Any] = {}
    """Options of the tracker, where it declares any."""
    captioner: str = "miniature"
    """Says what a clip shows: miniature, transformers_vlm, openai, template, or module:object."""
    captioner_options: dict[str, Any] = {}
    """Options of the captioner, where it declares any."""
    caption_template: str = "a video of an object"
    """What the captioner `template` says of every clip."""
    captions: Captions = Captions()
    """What the captioners transformers_vlm and openai show a model, and take for a caption."""
    vlm: VisionLanguageModel = VisionLanguageModel()
    """The model of the captioner transformers_vlm."""
    endpoint: ServedModel = ServedModel()
    """The model of the captioner openai and the prompter llm. See execution.endpoint."""
    prompter: str = "noun_swap"
    """Derives target prompts: noun_swap, llm, an entry point or module:object."""
    prompter_options: dict[str, Any] = {}
    """Options of the prompter, where it declares any."""
    targets_per_clip: int = Field(default=2, ge=1)
    """Target prompts derived for a clip."""
    target_kinds: tuple[Kind, ...] = Field(default=("noun_near", "recolour"), min_length=1)
    """What prompters change, in turn: noun_near, noun_far, recolour, restyle, background."""


class Backbone(Section):
    weights: str
    """A preset's name, or a folder or fsspec URI with a model in diffusers layout."""

    @pydantic.field_validator("weights")
    @classmethod
    def _absolute(cls, weights: str) -> str:
        # Workers do not share the folder that a command is given in.
        return weights if weights in NAMES or "://" in weights else os.path.abspath(weights)

    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    """Precision of the weights. auto: float16 on a GPU, float32 on a CPU."""


class ClipModel(Pretrained):
    weights: Weights = "openai/clip-vit-large-patch14"
    """A CLIP model: a hub id, or a folder or fsspec URI in transformers layout; or miniature, the
    embedded model's."""
    revision: str | None = "32bd64288804d66eefd0ccbe215aa642df71cc41"
    """The commit to take from the hub. A hub id without one is refused."""

    @property
    def is_pinned(self) -> bool:
        """Whether the weights are the same every day."""
        return self.weights == "miniature" or super().is_pinned


class Measure(Section):
    metrics: tuple[str, ...] = ("frame_consistency", "background_difference", "motion_error")
    """What judges an edit: frame_consistency, clip_similarity, background_difference,
    background_lpips, motion_error, motion_error_raft, an entry point or module:object. The embedded
    presets add clip_similarity, by their own CLIP."""
    options: dict[str, dict[str, Any]] = {}
    """Options of metrics that declare any, by metric: {motion: {radius: 3}}."""
    clip: ClipModel = ClipModel()
    """The model of the metric clip_similarity."""
    rife: Weights | None = None
    """A folder or fsspec URI with flownet.pkl of RIFE 4.0, which then interpolates for the metric
    frame_consistency. Null: optical flow does."""
    lpips: Weights | None = None
    """A folder or fsspec URI with alexnet-owt-7be5be79.pth and alex.pth, for the metric
    background_lpips."""
    raft: Weights | None = None
    """A folder or fsspec URI with raft_large_C_T_SKHT_V2-ff5fadd5.pth, for the metric
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
    """The least that is good enough. Null: anything."""
    max: float | None = Field(default=None, allow_inf_nan=False)
    """The most that is good enough. Null: anything."""

    @pydantic.model_validator(mode="after")
    def _in_order(self) -> "Bounds":
        if self.min is None and self.max is None:
            raise ValueError("give a min, a max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is over max {self.max:g}")
        return self


class Publish(Section):
    limits: dict[str, Bounds] = {}
    """Which edits are good enough, by metric: {motion_error: {max: 3}}. One outside is rejected; a
    metric that does not apply to it rejects none."""
    file_mb: float = Field(default=128.0, gt=0)
    """Megabytes of a Parquet file of the dataset, about. A clip's edits are never split."""
    partition_by: tuple[str, ...] = ()
    """Columns of the manifest that become folders: dataset/split=train/…"""


class Server(Section):
    base_url: str | None = None
    """An OpenAI-compatible server, as http://host:8000/v1."""
    api_key_env: str | None = None
    """The environment variable that holds the server's key, on every machine. Null: no key."""
    timeout: float = Field(default=60.0, gt=0)
    """Seconds that one request may take as a whole."""
    attempts: int = Field(default=4, ge=1)
    """Requests for one answer. Refused, failed and unreadable ones are repeated, ever later."""
    total_timeout: float = Field(default=300.0, gt=0)
    """Seconds that one answer may take with all its attempts. A caption takes up to two answers."""

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


class Execution(Section):
    editors: int | None = Field(default=None, ge=1)
    """Editors at work at once. Null: one a GPU, or one a machine's CPUs but one."""
    gpus_per_editor: float | None = Field(default=None, ge=0)
    """GPUs of one editor. Null: 1 where the cluster has GPUs, else 0."""
    gpus_per_captioner: float | None = Field(default=None, ge=0)
    """GPUs of one captioner that runs on GPUs: transformers_vlm. Null: as for editors."""
    gpus_per_tracker: float | None = Field(default=None, ge=0)
    """GPUs of one tracker that runs on GPUs, with its detector: sam2_hf, sam2. Null: as for
    editors."""
    torch_threads: int | None = Field(default=None, ge=1)
    """CPU threads of one editor. Null: the machine's cores shared among its editors."""
    memory: Literal["normal", "lean"] = "normal"
    """lean: the same edits with less GPU memory, in more time. An editor that runs out of memory
    goes on like that by itself."""
    compiled: bool = False
    """Compile the passes of the UNet: on a GPU an edit takes about two thirds of the time, once an
    editor has spent some minutes on it. Results differ in the last digits."""
    ray_address: str | None = None
    """A Ray cluster to join. Null: $RAY_ADDRESS, else a cluster of this machine alone."""
    wait_for_resources: float = Field(default=0.0, ge=0)
    """Seconds to wait for an autoscaler to bring a machine that an editor fits on."""
    deadline: float = Field(default=3600.0, gt=0)
    """Seconds that a video's decoding, an annotation, or a clip with all its edits may take, and
    again the measuring of these."""
    attempts: int = Field(default=3, ge=1)
    """Workers in which a video or clip may die alone before it is given up."""
    max_failed_share: float = Field(default=1.0, ge=0, le=1)
    """Stop a phase in which a larger share of rows fails."""
    storage_options: dict[str, Any] = {}
    """Options for fsspec (endpoints, profiles). Take secrets from the environment instead."""
    report_rows: int = Field(default=500, ge=0)
    """Edits that the report shows with their clips, chosen by the seed; what went wrong beside."""
    endpoint: Server = Server()
    """Where a model is served, for the captioner openai and the prompter llm."""
