"""The tracker `sam3`: SAM3 finds what words name in every frame of a clip, and follows it."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from pipelines.config.config import Config
from pipelines.config.sections import Pretrained, Weights
from pipelines.errors import Rejected
from pipelines.media import masks
from pipelines.trackers.base import Found
from strmatch.weights.source import Source

TOKENS = 32
"""Length of the text input of SAM3."""


class Sam3:
    """SAM3's video model of transformers, weights in safetensors. Needs no detector.

    Of several things that a phrase names, the tracker follows the one with the greatest product of
    score, share of the frames and square root of the area. The model's state grows with the clip.
    """

    on_gpu: ClassVar[bool] = True

    class Options(Pretrained):
        weights: Weights = "facebook/sam3"
        """SAM3's video model: a hub id, a folder, or an fsspec URI, with safetensors and the files
        of the tokenizer."""

    def __init__(self, config: Config, options: Options) -> None:
        from transformers import AutoTokenizer, Sam3VideoModel

        from strmatch.weights.locate import local_folder
        from strmatch.weights.strict import load_model

        folder = local_folder(options.source(), config.execution.access)
        self.model = load_model(Sam3VideoModel, folder)
        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)

    @classmethod
    def validate(cls, config: Config, options: Options) -> None:
        """Raises ConfigError for a hub id without a commit."""
        options.refuse_unpinned("annotate.tracker_options")

    @classmethod
    def models(cls, config: Config, options: Options) -> list[Source]:
        """The weights of SAM3."""
        return [options.source()]

    def __call__(self, frames: np.ndarray, subject: str | None) -> np.ndarray:
        """See `Tracker`.

        Raises:
            Rejected: `NoSubject` or `SubjectNotFound`.
        """
        if subject is None:
            raise Rejected("NoSubject", "no words say what to follow; give the manifest a subject")
        return self.objects(frames, [subject])[0].mask

    def objects(self, frames: np.ndarray, phrases: Sequence[str]) -> list[Found]:
        """See `Tracker`.

        Raises:
            Rejected: `SubjectNotFound`, the first phrase names nothing.
        """
        found = best_of_each(self.candidates(frames, phrases))
        if phrases[0] not in found:
            raise Rejected(
                "SubjectNotFound",
                f"SAM3 finds no {phrases[0]!r}; give the manifest other words or a mask",
            )
        return [found[phrase] for phrase in phrases if phrase in found]

    def candidates(self, frames: np.ndarray, phrases: Sequence[str]) -> list[Found]:
        """Everything that the model follows and a phrase names, with its score."""
        from torch.nn.functional import interpolate

        session, size = self._session(frames, phrases), frames.shape[1:3]
        seen: dict[int, dict[int, masks.Rle]] = defaultdict(dict)
        scores: dict[int, float] = {}
        for output in self.model.propagate_in_video_iterator(session):
            scores |= output.obj_id_to_score
            hidden = {*(output.suppressed_obj_ids or ())}
            for number, logits in output.obj_id_to_mask.items():
                shown = interpolate(logits[None].float(), size, mode="bilinear")[0] > 0
                if number not in hidden and shown.any():
                    seen[number][output.frame_idx] = masks.encode(shown.cpu().numpy())[0]
        empty = masks.encode(np.zeros((1, *size), bool))[0]
        return [
            Found(
                session.prompts[session.obj_id_to_prompt_id[number]],
                masks.decode([shown.get(index, empty) for index in range(len(frames))]),
                float(scores[number]),
            )
            for number, shown in seen.items()
            if number not in session.hotstart_removed_obj_ids
        ]

    def _session(self, frames: np.ndarray, phrases: Sequence[str]) -> Any:
        """The state of a clip, with the phrases as prompts."""
        import torch
        from transformers.models.sam3_video.modeling_sam3_video import Sam3VideoInferenceSession

        from pipelines.trackers.streaming import Sam3Frames

        height, width = frames.shape[1:3]
        device = self.model.device
        session: Any = Sam3VideoInferenceSession(
            video_height=height,
            video_width=width,
            inference_device=device,
            inference_state_device=device,
            dtype=torch.float32,
        )
        session.processed_frames = Sam3Frames(frames, self.model.config.image_size)
        for phrase in phrases:
            prompt = session.add_prompt(phrase)
            text = self.tokenizer(
                phrase,
                padding="max_length",
                max_length=TOKENS,
                truncation=True,
                return_tensors="pt",
            ).to(device)
            session.prompt_input_ids[prompt] = text.input_ids
            session.prompt_attention_masks[prompt] = text.attention_mask
        return session


def best_of_each(candidates: Sequence[Found]) -> dict[str, Found]:
    """The best object of each phrase. An object that several phrases name is that of the best."""
    found: dict[str, Found] = {}
    for each in sorted(candidates, key=_worth, reverse=True):
        taken = [masks.overlap(each.mask, other.mask) for other in found.values()]
        if each.words not in found and max(taken, default=0.0) < masks.SAME_OBJECT:
            found[each.words] = each
    return found


def _worth(found: Found) -> float:
    """Rank of an object among those of a phrase: larger, steadier and more certain first."""
    areas = found.mask.sum(axis=(1, 2))
    return (found.score or 0.0) * float((areas > 0).mean()) * float(np.sqrt(areas.mean()))
