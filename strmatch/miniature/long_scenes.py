"""Scenes that last longer than one motion, at the same speed per frame."""

from dataclasses import replace
from typing import Literal

from strmatch.miniature.motions import DIRECTIONS
from strmatch.miniature.scenes import WORLD_SIZE, Scene, Sprite
from strmatch.miniature.shapes import REACH

Course = Literal["stays", "leaves"]
"""What a sprite that moves in a direction does in a long scene: it turns around inside the frame,
or leaves the frame and comes back."""
MOTION_FRAMES = 16
"""Number of frames of one motion."""
HIDDEN = 0.2
"""Time between the disappearance of a sprite and its turn, in motions."""


def lasting(scene: Scene, num_frames: int, course: Course = "stays") -> Scene:
    """The scene with a duration of `num_frames` frames at the speed of a scene of 16 frames.

    `render(…, num_frames)` of the result shows in its first 16 frames what the scene shows in 16.
    Sprites that leave the frame are those that move in a direction. Growing and shrinking sprites
    and zigzags turn around inside the frame.

    Args:
        scene: a scene of one motion.
        num_frames: number of frames, at least 2.
        course: what its sprites do after their motion.
    """
    sprites = scene.sprites
    if course == "leaves":
        sprites = tuple(replace(sprite, turn=_time_outside(sprite)) for sprite in sprites)
    duration = (num_frames - 1) / (MOTION_FRAMES - 1)
    return replace(scene, sprites=sprites, duration=duration)


def _time_outside(sprite: Sprite) -> float:
    """Time at which a sprite is out of sight for `HIDDEN` motions. 1 if its path stays inside."""
    if sprite.motion not in DIRECTIONS:
        return 1.0
    reach = REACH * sprite.size + 1
    times = []
    for start, way in zip(sprite.start, DIRECTIONS[sprite.motion], strict=True):
        if way:
            room = WORLD_SIZE - 1 - start if way > 0 else start
            times.append((room + reach) / (abs(way) * sprite.displacement))
    return min(times) + HIDDEN
