import math

import numpy as np
import pytest

from strmatch.metrics.drift import Drift, drift
from tests.strmatch.metrics.clips import beside

FPS = 4.0


def plain(colours):
    """A clip of uniform frames."""
    frames = np.array(colours, np.uint8)[:, None, None]
    return np.broadcast_to(frames, (len(colours), 16, 16, 3)).copy()


def fading(first, last, frames=12):
    return plain(np.linspace(first, last, frames).round())


def lab(frame):
    """CIELAB of sRGB (IEC 61966-2-1) with the white point D65."""
    x = frame / 255
    linear = np.where(x > 0.04045, ((x + 0.055) / 1.055) ** 2.4, x / 12.92)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    t = linear @ np.array(to_xyz).T / (0.9505, 1, 1.089)
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t * (29 / 6) ** 2 / 3 + 4 / 29)
    return np.stack(
        (116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])), -1
    )


@pytest.fixture
def region():
    region = np.zeros((12, 16, 16), bool)
    region[:, 2:10, 3:9] = True
    return region


def test_the_drift_of_an_equal_or_recoloured_clip_is_zero(region):
    source = fading((200, 40, 30), (90, 120, 10))
    assert drift(source, source, region, FPS) == 0
    assert drift(plain([(9, 9, 9)] * 12), plain([(250, 0, 90)] * 12), region, FPS) == 0


def test_the_drift_of_random_clips_equals_the_mean_colours_of_the_formula(region):
    draw = np.random.default_rng(0)
    region = draw.random(region.shape) < 0.3
    source, edited = draw.integers(0, 256, (2, 12, 16, 16, 3), np.uint8)
    ends = []
    for clip in (source, edited):
        pixels = [
            np.concatenate([lab(clip[i])[region[i]] for i in part]).mean(axis=0)
            for part in (range(8, 12), range(4))
        ]
        ends.append(pixels[0] - pixels[1])
    expected = np.linalg.norm(ends[1] - ends[0])
    assert drift(source, edited, region, FPS) == pytest.approx(expected, abs=0.1)


def test_a_fading_colour_drifts_by_its_distance_in_lab(region):
    red, blue = (255, 0, 0), (0, 0, 255)
    source, edited = plain([red] * 12), plain([red] * 4 + [(9, 200, 3)] * 4 + [blue] * 4)
    assert drift(source, edited, region, FPS) == pytest.approx(176.3, abs=0.3)
    assert Drift()(beside(source, edited, region)._replace(fps=FPS)) > 176


def test_a_change_of_light_in_the_source_does_not_count(region):
    dimmed = fading((200, 200, 200), (100, 100, 100))
    assert drift(dimmed, dimmed, region, FPS) == 0
    assert drift(dimmed, plain([(150, 150, 150)] * 12), region, FPS) > 20


def test_only_the_region_counts(region):
    source = plain([(100, 100, 100)] * 12)
    edited = np.where(region[..., None], source, fading((0, 0, 0), (255, 255, 255)))
    assert drift(source, edited, region, FPS) == 0
    assert drift(source, edited, None, FPS) > 20


@pytest.mark.parametrize("fps", [FPS, 30.0, None])
def test_a_clip_under_two_seconds_has_a_first_and_a_last_half(fps):
    source, edited = plain([(255, 0, 0)] * 5), plain([(255, 0, 0)] * 3 + [(0, 0, 255)] * 2)
    assert drift(source, edited, None, fps) == pytest.approx(176.3, abs=0.3)


def test_a_region_that_is_missing_at_an_end_has_no_drift(region):
    source = plain([(100, 100, 100)] * 12)
    region[:4] = False
    assert math.isnan(drift(source, source, region, FPS))
    assert math.isnan(drift(source[:1], source[:1], None, FPS))
