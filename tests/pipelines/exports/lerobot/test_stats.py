import numpy as np
import pytest

from pipelines.exports.lerobot.stats import Total, image_stats, number_stats, sampled_frames

NAMES = ("min", "max", "mean", "std", "count", "q01", "q10", "q50", "q90", "q99")
QUANTILES = [name for name in NAMES if name.startswith("q")]


def test_statistics_of_pictures_are_exact():
    images = np.random.default_rng(0).integers(0, 256, (5, 20, 30, 3), np.uint8)
    stats = image_stats(images, NAMES)
    values = images.reshape(-1, 3) / 255
    for name in ("min", "max", "mean", "std"):
        wanted = getattr(values, name)(axis=0)
        assert np.array(stats[name]) == pytest.approx(wanted.reshape(3, 1, 1))
    for name in QUANTILES:
        wanted = np.quantile(values, int(name[1:]) / 100, axis=0)
        assert np.ravel(stats[name]) == pytest.approx(wanted)
    assert stats["count"] == [5]


def test_large_pictures_are_reduced():
    image = np.zeros((480, 640, 3), np.uint8)
    image[1::4] = 255  # no fourth row
    assert np.ravel(image_stats([image], ["max"])["max"]).tolist() == [0, 0, 0]


@pytest.mark.parametrize(("length", "count"), [(12, 12), (100, 100), (500, 105), (5000, 594)])
def test_long_episodes_are_sampled(length, count):
    frames = sampled_frames(length)
    assert len(frames) == count and frames[0] == 0 and frames[-1] == length - 1


def test_the_total_is_that_of_all_values():
    rng = np.random.default_rng(1)
    parts = [rng.integers(0, 99, size) for size in (7, 30, 2)]
    total = Total()
    for values in parts:
        total.add({"index": number_stats(values, NAMES)})
    found, every = total.result()["index"], np.concatenate(parts)
    assert found["mean"] == pytest.approx([every.mean()])
    assert found["std"] == pytest.approx([every.std()])
    assert (found["min"], found["max"], found["count"]) == ([every.min()], [every.max()], [39])
    # LeRobot weights the quantiles of episodes.
    medians = [np.median(values) for values in parts]
    assert found["q50"] == pytest.approx([np.average(medians, weights=[7, 30, 2])])
