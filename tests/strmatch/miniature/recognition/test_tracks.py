import pytest
import torch

from strmatch.miniature.motions import shift
from strmatch.miniature.recognition.tracks import name_motion
from strmatch.miniature.vocabulary import MOTIONS


def path(motion: str, displacement: float, frames: int = 16) -> tuple[torch.Tensor, torch.Tensor]:
    points = [shift(motion, displacement, 0.1, frame / (frames - 1)) for frame in range(frames)]
    track = torch.tensor([[point.x + 30, point.y + 30] for point in points])
    return track, torch.tensor([20 + point.size for point in points])


@pytest.mark.parametrize("motion", MOTIONS)
@pytest.mark.parametrize("frames", [8, 16])
def test_motions_are_recognised_despite_jitter(motion, frames):
    track, sizes = path(motion, 8.0 if motion in ("grow", "shrink") else 24.0, frames)
    generator = torch.Generator().manual_seed(0)
    jitter = 0.2 * torch.randn(track.shape, generator=generator)
    assert name_motion(track + jitter, sizes) == motion


@pytest.mark.parametrize("motion", ["left", "up", "still"])
def test_a_few_frames_may_be_missing_but_not_most(motion):
    track, sizes = path(motion, 24.0)
    sizes[[3, 9, 10]] = track[[3, 9, 10]] = torch.nan
    assert name_motion(track, sizes) == motion
    sizes[5:] = track[5:] = torch.nan
    assert name_motion(track, sizes) is None


def test_a_frozen_clip_is_still():
    track, sizes = path("right", 24.0)
    assert name_motion(track[:1].expand(16, 2), sizes[:1].expand(16)) == "still"


def test_a_jump_is_not_recognised_as_a_motion():
    track, sizes = path("still", 0.0)
    track[8:, 0] += 24.0
    assert name_motion(track, sizes) is None


def test_a_half_path_and_random_positions_are_not_recognised_as_a_motion():
    assert name_motion(*path("right", 9.0)) is None
    generator = torch.Generator().manual_seed(1)
    anywhere = 64 * torch.rand(16, 2, generator=generator)
    assert name_motion(anywhere, torch.full((16,), 20.0)) is None
