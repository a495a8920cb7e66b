"""SAM2 on long clips: the same masks as with everything in memory, in memory that stays flat."""

import gc

import numpy as np
import pytest
import torch

from pipelines.trackers import segmenter_package, segmenter_transformers
from pipelines.trackers.segmenter import Box
from pipelines.trackers.streaming import NormalisedFrames, forget
from tests.pipelines.trackers.test_segmenter import BOX, clip


def test_frames_are_prepared_as_by_the_package(tmp_path):
    misc = pytest.importorskip("sam2.utils.misc")
    frames = clip(0, frames=3, height=60, width=90)
    for number in (2, 1, 0):
        segmenter_package._write_frame(frames[number], tmp_path)
        (tmp_path / "00000.jpg").rename(tmp_path / f"{number:05d}.jpg")
    expected, *_ = misc.load_video_frames(str(tmp_path), 128, offload_video_to_cpu=True)
    ours = NormalisedFrames(frames, 128)
    assert len(ours) == len(expected) == 3
    for index in range(3):
        torch.testing.assert_close(ours[index], expected[index], atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("held", "current", "left"),
    [
        ([5, 6, 7], 7, [5, 6, 7]),
        ([5, 6, 7, 8, 9], 9, [5, 6, 7, 8, 9]),
        ([5, 6, 7, 8, 9, 10], 10, [5, 6, 8, 9, 10]),  # 5 and 6 are read on the way back
        ([3, 5, 6, 9, 10], 3, [3, 5]),
        ([1, 2, 3, 5], 1, [1, 2, 3]),
    ],
)
def test_outputs_are_removed_when_no_later_frame_reads_them(held, current, left):
    outputs = dict.fromkeys(held)
    forget(outputs, current, prompt_frame=4, reach=2)
    assert [*outputs] == left


def watch(monkeypatch, after_frame):
    """Replace `forget` where it is used."""
    for module in (segmenter_package, segmenter_transformers):
        monkeypatch.setattr(module, "forget", after_frame)


def test_outputs_that_are_removed_change_no_mask(segmenter, monkeypatch):
    """Compared with the session that holds the outputs of all frames."""
    frames, removed = clip(1, frames=42), []

    def counted(outputs, *args):
        before = len(outputs)
        forget(outputs, *args)
        removed.append(before - len(outputs))

    watch(monkeypatch, counted)
    mask = segmenter.track(frames, BOX, 20)
    assert sum(removed) > 5
    watch(monkeypatch, lambda *args: None)
    np.testing.assert_array_equal(mask, segmenter.track(frames, BOX, 20))


def live_bytes():
    """The bytes of all tensors that an object refers to."""
    gc.collect()
    tensors = (o for o in gc.get_objects() if issubclass(type(o), torch.Tensor))
    return sum(
        {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}.values()
    )


@pytest.mark.slow
def test_the_memory_of_600_frames_is_flat_after_100(segmenter, monkeypatch):
    frames, sizes = clip(2, frames=600, height=48, width=64), []
    weights = live_bytes()

    def measured(*args):
        forget(*args)
        sizes.append(live_bytes() - weights if len(sizes) % 50 == 0 else None)

    watch(monkeypatch, measured)
    mask = segmenter.track(frames, Box(10, 10, 40, 40), 200)
    assert len(sizes) >= len(mask) == 600
    assert mask.any(axis=(1, 2)).mean() > 0.9
    after = [size for size in sizes[100:] if size is not None]
    print("megabytes after frame 0, 50, 100 …:", [s and round(s / 1e6, 2) for s in sizes[::50]])
    assert max(after) <= 1.1 * sizes[100]
