import numpy as np
import pytest

from pipelines.trackers.contrast import subject_mask
from pipelines.trackers.miniature import MiniatureTracker, box_around, typical_frame
from pipelines.trackers.segmenter import Box
from strmatch import WeightsError
from strmatch.miniature.scenes import sample_scene
from strmatch.miniature.world import render


class Frozen:
    """A segmenter that returns the prompted box in all frames."""

    def track(self, frames, box, prompt_frame):
        mask = np.zeros(frames.shape[:3], bool)
        mask[:, int(box.y0) : int(box.y1), int(box.x0) : int(box.x1)] = True
        return mask


def test_the_segmenter_is_prompted_with_the_named_sprite_of_two():
    scene = sample_scene(1, "dev", "two_sprites")
    frames = render([scene]).frames[0].numpy()
    for sprite in scene.sprites:
        rough = subject_mask(frames, sprite.colour)
        shown = MiniatureTracker(Frozen())(frames, sprite.colour)
        frame = typical_frame(rough)
        assert shown[frame][rough[frame]].all()
        assert box_around(shown[0]) == box_around(rough[frame])


def test_the_prompt_frame_shows_the_subject_at_its_typical_size():
    mask = np.zeros((5, 8, 8), bool)
    mask[1, 2:4, 3:6] = mask[2, 2:4, 3:7] = True
    mask[3] = True  # as if two sprites were merged
    assert typical_frame(mask) == 2
    assert box_around(mask[2]) == Box(3, 2, 7, 4)


def test_a_clip_without_a_sprite_has_no_mask():
    assert MiniatureTracker(Frozen())(np.zeros((4, 48, 80, 3), np.uint8), "red circle") is None


def test_the_packaged_model_has_no_segmenter():
    with pytest.raises(WeightsError, match="there is no folder .*segmenter"):
        MiniatureTracker.load("miniature")
