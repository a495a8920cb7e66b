import pytest
import torch

from strmatch.miniature.recognition.patterns import find_patterns
from strmatch.miniature.scenes import Scene, Sprite
from strmatch.miniature.vocabulary import BACKGROUNDS
from strmatch.miniature.world import render
from tests.strmatch.miniature.corruption import corrupt

LARGEST = Sprite("square", "green", "still", 30.0, (31.5, 31.5), 0.0)


@pytest.mark.parametrize("background", BACKGROUNDS)
@pytest.mark.parametrize("phase", [(0, 0), (5, 3), (8, 0), (13, 14)])
def test_patterns_are_recognised_at_any_shift_behind_a_large_sprite(background, phase):
    frames = render([Scene((LARGEST,), background, phase=phase)], num_frames=2).frames
    plate = render([Scene((), background, phase=phase)], num_frames=2).frames[0]
    for clip in (frames, corrupt(frames)):
        found = find_patterns(clip[0].float())
        assert found.names.tolist() == [list(BACKGROUNDS).index(background)] * 2
        assert found.colours[0].tolist() == [list(map(float, c)) for c in BACKGROUNDS[background]]
    assert torch.equal(find_patterns(frames[0].float()).plate, plate.float())


def test_other_images_are_not_recognised_as_patterns():
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(0, 256, (2, 64, 64, 3), generator=generator).float()
    blank = torch.full((1, 64, 64, 3), 128.0)
    bricks, dots = (
        render([Scene((), name)], num_frames=1).frames[0].float() for name in ("bricks", "dots")
    )
    half = torch.cat([bricks[:, :, :32], dots[:, :, 32:]], dim=2)
    assert find_patterns(torch.cat([noise, blank, half])).names.tolist() == [-1] * 4
