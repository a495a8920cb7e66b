"""Recognition of the attributes of a clip from its pixels, to evaluate generated and edited clips.

The recognition has no learned parts and does not use the prompt.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from strmatch.miniature.recognition.patterns import find_patterns
from strmatch.miniature.recognition.subject import find_subjects
from strmatch.miniature.recognition.tracks import name_motion
from strmatch.miniature.scenes import Scene, attributes
from strmatch.miniature.splits import Attributes
from strmatch.miniature.vocabulary import BACKGROUNDS, COLOURS, SHAPES

NONE = "none"
CHUNK = 16  # clips per pass, which bounds memory


class Judgement(NamedTuple):
    """Recognised content of a batch of clips."""

    verdicts: list[Attributes]
    """One per clip. An attribute that does not hold in most frames is "none"."""
    masks: Tensor
    """bool (b, f, H, W): the subject. All False in frames without exactly one subject."""
    tracks: Tensor
    """float32 (b, f, 2): centroid of the subject, x and y in pixels. NaN without exactly one
    subject."""


def judge(frames: Tensor) -> Judgement:
    """Recognise the attributes, masks and tracks of clips, uint8 (b, f, H, W, 3)."""
    parts = [_judge(chunk) for chunk in frames.split(CHUNK)]
    return Judgement(
        [verdict for part in parts for verdict in part.verdicts],
        torch.cat([part.masks for part in parts]),
        torch.cat([part.tracks for part in parts]),
    )


def _judge(frames: Tensor) -> Judgement:
    b, f = frames.shape[:2]
    flat = frames.flatten(0, 1).float()
    patterns = find_patterns(flat)
    subjects = find_subjects(flat, patterns)
    tracks, sizes = subjects.centroids.view(b, f, 2), subjects.areas.sqrt().view(b, f)
    verdicts = [
        Attributes(shape, colour, name_motion(track, size) or NONE, background)
        for shape, colour, background, track, size in zip(
            most_frames(subjects.shapes.view(b, f), SHAPES),
            most_frames(subjects.colours.view(b, f), tuple(COLOURS)),
            most_frames(patterns.names.view(b, f), tuple(BACKGROUNDS)),
            tracks.cpu(),
            sizes.cpu(),
            strict=True,
        )
    ]
    return Judgement(verdicts, subjects.masks.view(b, f, *frames.shape[2:4]), tracks)


def most_frames(votes: Tensor, names: Sequence[str], voters: Tensor | None = None) -> list[str]:
    """The name with the votes of more than half of the frames.

    Args:
        votes: long (b, f), indices into `names`, -1 for none.
        names: the names.
        voters: number of frames that count, per clip. None: all.
    """
    counts = torch.stack([(votes == index).sum(dim=1) for index in range(len(names))], dim=1)
    most, winner = counts.max(dim=1)
    holds = 2 * most > (votes.shape[1] if voters is None else voters)
    return [
        names[index] if held else NONE
        for index, held in zip(winner.tolist(), holds.tolist(), strict=True)
    ]


class EditScore(NamedTuple):
    """Agreement of an edited clip with its target scene, per attribute."""

    asked: dict[str, bool]
    """Attributes in which target and source differ."""
    kept: dict[str, bool]
    """All other attributes."""


def score_edit(verdict: Attributes, source: Scene, target: Scene) -> EditScore:
    """Compare the recognised attributes of an edited clip with the target scene."""
    before, wanted = attributes(source), attributes(target)
    shown = {name: getattr(verdict, name) == getattr(wanted, name) for name in Attributes._fields}
    changed = {
        name for name in Attributes._fields if getattr(before, name) != getattr(wanted, name)
    }
    return EditScore(
        asked={name: held for name, held in shown.items() if name in changed},
        kept={name: held for name, held in shown.items() if name not in changed},
    )
