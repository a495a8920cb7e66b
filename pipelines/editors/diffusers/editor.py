"""The editor `diffusers`: any video pipeline of diffusers, by options."""

from typing import Any, ClassVar, NamedTuple

import cv2
import numpy as np

from pipelines.config.config import Config
from pipelines.editors.diffusers import loading
from pipelines.editors.diffusers.chunks import in_chunks, padded, valid_length
from pipelines.editors.diffusers.families import check_family
from pipelines.editors.diffusers.options import (
    Content,
    DiffusersOptions,
    call_size,
    check_arguments,
    own_names,
)
from pipelines.english.instructions import instruction_between
from pipelines.errors import RowError
from strmatch.weights.source import Source


class Clip(NamedTuple):
    """A clip, and its frames at the size of the pipeline."""

    frames: np.ndarray
    """uint8 (f, H, W, 3)."""
    resized: np.ndarray
    """uint8 (f, h, w, 3)."""
    source_prompt: str


class DiffusersEditor:
    """Edits clips by a pipeline of diffusers.

    A clip is resized to the size of the pipeline, padded in time by reflection to a valid number of
    frames, edited, cut and resized back. Longer clips are edited in chunks. A pipeline with a mask
    continues from the edited frames that chunks share; others are cross-faded.
    """

    stochastic: ClassVar[bool] = True
    Options = DiffusersOptions

    def __init__(self, config: Config, options: DiffusersOptions) -> None:
        self.options = options
        self.fps = config.clip.fps
        self.pipeline = loading.load(config, options)
        known = loading.parameters(type(self.pipeline))
        self.arguments: dict[str, Content] = own_names(known) | dict(options.arguments)
        self.call = dict(options.call)
        if "output_type" in known:
            self.call.setdefault("output_type", "np")

    @classmethod
    def models(cls, config: Config, options: DiffusersOptions) -> list[Source]:
        """The weights of pipeline and adapters."""
        return [loading.source(options), *loading.lora_sources(options)]

    @classmethod
    def check(cls, config: Config, options: DiffusersOptions) -> None:
        """Check the options against the pipeline, without its weights.

        Raises:
            ConfigError: in one line, which commit is missing, that there is no such pipeline, or
                which argument, size or number of frames the pipeline would refuse.
        """
        loading.refuse_unpinned(options)
        check_arguments(options, loading.parameters(loading.pipeline_class(options.pipeline)))
        check_family(options, (config.clip.height, config.clip.width))

    @classmethod
    def revision(cls, config: Config, options: DiffusersOptions) -> str:
        """Identifies the weights of pipeline and adapters."""
        return loading.revision(config, options)

    @classmethod
    def settings(cls, config: Config, options: DiffusersOptions) -> dict[str, Any]:
        """The options that an edit depends on."""
        import diffusers

        made_by = {"diffusers": diffusers.__version__, "fps": config.clip.fps}
        return options.model_dump(mode="json", exclude={"memory"}) | made_by

    def invert(self, frames: np.ndarray, source_prompt: str) -> Clip:
        """Resize a clip once for all its targets."""
        size = call_size(self.options.size, frames.shape[1:3])
        return Clip(frames, _resized(frames, size), source_prompt)

    def edit(
        self, inversion: Clip, target_prompt: str, mask: np.ndarray | None, seed: int
    ) -> np.ndarray:
        """See `Editor.edit`.

        Raises:
            RowError: `BadFrames`, the pipeline returned something else than the clip's frames.
        """
        import torch

        clip, region = inversion, None if mask is None else _dilated(mask, self.options.mask)
        generator = torch.Generator().manual_seed(seed)
        told = _Told(clip.source_prompt, target_prompt, generator)

        def call(frames: slice, before: np.ndarray | None) -> np.ndarray:
            return self._call(clip, region, frames, before, told)

        continues = "mask" in self.arguments.values()
        edited = in_chunks(len(clip.frames), self.options.frames, call, continues)
        edited = _resized(edited, clip.frames.shape[1:3])
        if region is not None and self.options.composite:
            edited = np.where(region[..., None], edited, clip.frames)
        return edited

    def _call(
        self,
        clip: Clip,
        region: np.ndarray | None,
        frames: slice,
        before: np.ndarray | None,
        told: "_Told",
    ) -> np.ndarray:
        """Returns edited frames uint8 (n, h, w, 3), at the size of the pipeline."""
        video = clip.resized[frames].copy()
        size = video.shape[1:3]
        shape = (len(video), *size)
        inside = np.ones(shape, bool)
        if region is not None:
            inside[:] = _resized(region[frames], size)
        if before is not None:
            video[: len(before)], inside[: len(before)] = before, False
        length = valid_length(len(video), self.options.frames)
        values = self._values(padded(video, length), padded(inside, length), told)
        arguments = {name: values[content]() for name, content in self.arguments.items()}
        found = _frames_of(self.pipeline(**arguments, **self.call))
        if len(found) < len(video) or found.shape[1:] != video.shape[1:]:
            raise RowError(
                "BadFrames",
                f"{self.options.pipeline} returned {found.shape} for a video of "
                f"{(length, *video.shape[1:])}: see editor_options.frames and size",
            )
        return found[: len(video)]

    def _values(self, video: np.ndarray, inside: np.ndarray, told: "_Told") -> dict[str, Any]:
        white = inside if self.options.mask.white == "edit" else ~inside
        return {
            "video": lambda: _images(video),
            "mask": lambda: _images(np.where(white, 255, 0).astype(np.uint8)),
            "edges": lambda: _images(np.stack([_edges(frame) for frame in video])),
            "first_frame": lambda: _images(video[:1])[0],
            "target_prompt": lambda: told.target,
            "source_prompt": lambda: told.source,
            "instruction": lambda: told.instruction,
            "generator": lambda: told.generator,
            "height": lambda: video.shape[1],
            "width": lambda: video.shape[2],
            "num_frames": lambda: len(video),
            "fps": lambda: self.fps,
        }


class _Told(NamedTuple):
    """What a pipeline is told beside the video."""

    source: str
    target: str
    generator: Any

    @property
    def instruction(self) -> str:
        return instruction_between(self.source, self.target)


def _dilated(mask: np.ndarray, form: Any) -> np.ndarray:
    """Returns a mask bool (f, H, W) that has grown by `form.dilation` pixels."""
    side = 2 * form.dilation + 1
    kernel = np.ones((side, side), np.uint8)
    return np.stack([cv2.dilate(frame.astype(np.uint8), kernel) > 0 for frame in mask])


def _resized(frames: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns frames uint8 (f, H, W, 3) or a mask bool (f, H, W) at a size (height, width)."""
    if frames.shape[1:3] == tuple(size):
        return frames
    is_mask = frames.dtype == bool
    smaller = size[0] * size[1] < frames.shape[1] * frames.shape[2]
    how = cv2.INTER_NEAREST if is_mask else cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    each = [cv2.resize(f.astype(np.uint8), size[::-1], interpolation=how) for f in frames]
    return np.stack(each).astype(frames.dtype)


def _edges(frame: np.ndarray) -> np.ndarray:
    """Returns the edges of a frame, white on black, uint8 (h, w, 3)."""
    return cv2.cvtColor(cv2.Canny(frame, 100, 200), cv2.COLOR_GRAY2RGB)


def _images(frames: np.ndarray) -> list[Any]:
    from PIL import Image

    return [Image.fromarray(frame) for frame in frames]


def _frames_of(result: Any) -> np.ndarray:
    """Returns the first video of a pipeline's result, uint8 (f, h, w, 3)."""
    video = result.frames if hasattr(result, "frames") else result[0]
    if isinstance(video, list):
        video = video[0] if isinstance(video[0], list) or np.ndim(video[0]) == 4 else video
        return np.stack([_pixels(np.asarray(frame)) for frame in video])
    array = np.asarray(video)
    return _pixels(array[0] if array.ndim == 5 else array)


def _pixels(values: np.ndarray) -> np.ndarray:
    """Returns values from 0 to 1 as uint8; those that are uint8, unchanged."""
    if values.dtype == np.uint8:
        return values
    if not np.isfinite(values).all():
        raise RowError("NotFinite", "the pipeline returned NaN or infinite values")
    return (values.astype(np.float32) * 255).round().clip(0, 255).astype(np.uint8)
