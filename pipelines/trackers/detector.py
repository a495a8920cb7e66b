"""Finds the subject that words name in some frames of a clip."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from pipelines.config.sections import Detector
from pipelines.errors import Rejected
from pipelines.media.frames import frame_positions
from pipelines.media.masks import SAME_OBJECT
from pipelines.trackers.segmenter import Box
from strmatch.weights.locate import local_folder
from strmatch.weights.source import ONLINE, Access
from strmatch.weights.strict import load_model


@dataclass(frozen=True)
class Detection:
    words: str
    frame: int
    box: Box
    score: float


class SubjectDetector:
    """Finds objects by words, with an open-vocabulary detector: OWLv2, Grounding DINO, …

    Raises:
        WeightsError: the weights cannot be found, or do not fit.
    """

    def __init__(self, config: Detector, access: Access = ONLINE) -> None:
        from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor

        self.config = config
        folder = local_folder(config.source(), access)
        self.model = load_model(AutoModelForZeroShotObjectDetection, folder)
        self.processor: Any = AutoProcessor.from_pretrained(folder, local_files_only=True)

    def find(self, frames: np.ndarray, subject: str) -> Detection:
        """The best detection of the subject in `annotate.detector.frames` evenly spaced frames.

        Args:
            frames: uint8 (f, H, W, 3).
            subject: the words of a noun phrase.

        Raises:
            Rejected: `SubjectNotFound`.
        """
        return self.find_all(frames, [subject])[0]

    def find_all(self, frames: np.ndarray, phrases: Sequence[str]) -> list[Detection]:
        """The best detection of each object, as `find`.

        Args:
            frames: uint8 (f, H, W, 3).
            phrases: noun phrases, the subject first. An object that several of them name is that
                of the phrase with the highest score.

        Returns:
            In the order of the phrases. Objects that are not seen are left out.

        Raises:
            Rejected: `SubjectNotFound`, the first phrase names nothing.
        """
        subject = phrases[0]
        sampled = frame_positions(len(frames), self.config.frames)
        found = {
            phrase: [d for index in sampled for d in self.search(frames[index], phrase, index)]
            for phrase in phrases
        }
        found = undisputed(found)
        if not found[subject]:
            raise Rejected(
                "SubjectNotFound",
                f"the detector finds no {subject!r} with a score of {self.config.threshold:g} "
                f"(annotate.detector.threshold) in {len(sampled)} frames; give the manifest "
                "other words or a mask, or lower the threshold",
            )
        return [choose(detections) for detections in found.values() if detections]

    @torch.inference_mode()
    def search(self, frame: np.ndarray, words: str, index: int) -> Iterable[Detection]:
        """All detections in a frame, uint8 (H, W, 3), at position `index` of the clip."""
        inputs = self.processor(
            images=[frame], text=[[words]], truncation=True, return_tensors="pt"
        ).to(self.model.device)
        height, width = frame.shape[:2]
        (found,) = self.processor.post_process_grounded_object_detection(
            self.model(**inputs), threshold=self.config.threshold, target_sizes=[(height, width)]
        )
        for score, corners in zip(found["scores"].tolist(), found["boxes"].tolist(), strict=True):
            # A box may extend beyond the frame, or lie in its padding.
            x0, x1 = np.clip(corners[0::2], 0, width).tolist()
            y0, y1 = np.clip(corners[1::2], 0, height).tolist()
            if x1 - x0 >= 1 and y1 - y0 >= 1:
                yield Detection(words, index, Box(x0, y0, x1, y1), score)


def undisputed(found: Mapping[str, Sequence[Detection]]) -> dict[str, list[Detection]]:
    """The detections of each phrase that no other phrase has with a higher score.

    Two boxes of a frame show the same object if their intersection is more than half their union.
    """
    every = [detection for detections in found.values() for detection in detections]

    def is_disputed(one: Detection) -> bool:
        return any(
            other.words != one.words
            and other.frame == one.frame
            and other.score > one.score
            and other.box.overlap(one.box) > SAME_OBJECT
            for other in every
        )

    return {
        words: [detection for detection in detections if not is_disputed(detection)]
        for words, detections in found.items()
    }


def choose(found: Sequence[Detection]) -> Detection:
    """The largest and steadiest detection: highest score · √area · steadiness.

    Steadiness measures whether other frames show an object of the same size: the mean, over frames
    with detections, of the best score · (smaller area / larger area) in the frame.
    """
    frames = sorted({detection.frame for detection in found})

    def steadiness(box: Box) -> float:
        best = [
            max(
                other.score * min(box.area, other.box.area) / max(box.area, other.box.area)
                for other in found
                if other.frame == frame
            )
            for frame in frames
        ]
        return sum(best) / len(best)

    return max(found, key=lambda d: d.score * d.box.area**0.5 * steadiness(d.box))
