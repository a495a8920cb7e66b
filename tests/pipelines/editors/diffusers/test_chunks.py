import numpy as np
import pytest

from pipelines.editors.diffusers.chunks import in_chunks, padded, valid_length
from pipelines.editors.diffusers.options import Frames

WAN = Frames(multiple=4, remainder=1, max=17)
LTX = Frames(multiple=8, remainder=1, max=17)


@pytest.mark.parametrize("rule", [WAN, LTX, Frames(multiple=4), Frames(), Frames(remainder=1)])
@pytest.mark.parametrize("length", range(1, 41))
def test_the_number_of_frames_is_the_next_that_the_rule_allows(rule, length):
    allowed = [k * rule.multiple + rule.remainder for k in range(60)]
    expected = min(n for n in allowed if n >= max(length, 1))
    assert valid_length(length, rule) == expected


@pytest.mark.parametrize("length", [1, 2, 5, 6])
def test_frames_are_continued_by_reflection(length):
    frames = np.arange(length)
    expected = np.pad(frames, (0, 12 - length), "reflect" if length > 1 else "edge")
    np.testing.assert_array_equal(padded(frames, 12), expected)


@pytest.mark.parametrize("continues", [True, False])
@pytest.mark.parametrize("length", [5, 17, 18, 40, 51])
def test_an_identity_has_no_cut_at_the_borders_of_chunks(length, continues):
    clip = np.random.default_rng(0).integers(0, 256, (length, 4, 4, 3), np.uint8)
    seen = []

    def edit(frames, before):
        seen.append((frames.stop - frames.start, None if before is None else len(before)))
        if before is not None:
            np.testing.assert_array_equal(before, clip[frames][: len(before)])
        return clip[frames].copy()

    np.testing.assert_array_equal(in_chunks(length, WAN, edit, continues), clip)
    assert all(count <= 17 for count, _ in seen)
    assert [before is not None for _, before in seen] == [False] + [continues] * (len(seen) - 1)
    assert not continues or all(before >= WAN.overlap for _, before in seen[1:])


def test_chunks_that_differ_are_cross_faded():
    levels = iter((0, 90))

    def edit(frames, before):
        return np.full((frames.stop - frames.start, 1, 1, 3), next(levels), np.uint8)

    rule = Frames(max=8, overlap=2)
    made = in_chunks(14, rule, edit, continues=False)[:, 0, 0, 0]
    assert made.tolist() == [0] * 6 + [30, 60] + [90] * 6
