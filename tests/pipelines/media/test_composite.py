"""Composites, pixel by pixel against the definition."""

import math

import cv2
import numpy as np
import pytest
import torch

from pipelines.media.composite import LATENT, SEAM, composite, editable
from pipelines.media.frames import fit
from strmatch.masks import latent_mask

HOW = ["crop", "pad"]
SIZES = [(45, 80), (71, 49), (40, 64), (20, 30)]
"""Heights and widths of sources, of an edit of 32 × 48 pixels."""
EDIT = (32, 48)


def clouds(height, width, seed):
    small = np.random.default_rng(seed).integers(0, 256, (4, 6, 3), np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def placed(size, how):
    """Per axis: pixels of the resized source, and what `fit` cuts off (or adds, if negative)."""
    scales = [EDIT[axis] / size[axis] for axis in (0, 1)]
    scale = max(scales) if how == "crop" else min(scales)
    inner = [round(size[axis] * scale) for axis in (0, 1)]
    cut = [(i - e) // 2 if i > e else -((e - i) // 2) for i, e in zip(inner, EDIT, strict=True)]
    return scale, inner, cut


def in_the_edit(y, x, size, how):
    """The pixel of the edit that holds the middle of a pixel of the source; None: cut off."""
    _, inner, cut = placed(size, how)
    found = [
        math.floor((at + 0.5) * inner[axis] / size[axis]) - cut[axis]
        for axis, at in enumerate((y, x))
    ]
    return found if all(0 <= at < EDIT[axis] for axis, at in enumerate(found)) else None


def cubic(frame, y, x):
    """The value of a frame at a place between pixels, by cubic convolution (Keys 1981).

    With a = −0.75, as in OpenCV.
    """

    def kernel(d):
        d, a = abs(d), -0.75
        if d <= 1:
            return (a + 2) * d**3 - (a + 3) * d**2 + 1
        return a * (d**3 - 5 * d**2 + 8 * d - 4)

    def weights(at):
        taps = [math.floor(at) + k for k in range(-1, 3)]
        return taps, np.array([kernel(at - tap) for tap in taps])

    (rows, down), (columns, across) = weights(y), weights(x)
    rows = np.clip(rows, 0, frame.shape[0] - 1)
    columns = np.clip(columns, 0, frame.shape[1] - 1)
    return np.einsum("y,x,yxc->c", down, across, frame[np.ix_(rows, columns)].astype(float))


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize(("size", "dilation"), zip(SIZES, [3, 1, 3], strict=False))
def test_a_composite_equals_the_loop_over_its_pixels(size, how, dilation):
    source, edited = clouds(*size, 0), clouds(*EDIT, 1)
    region = np.zeros(EDIT, bool)
    region[9:14, 16:21] = True
    region[30, 47] = True
    allowed = editable(region, dilation)
    result = composite(source, edited, region, how, dilation)

    scale, inner, cut = placed(size, how)
    places = [(y, x) for y in range(size[0]) for x in range(size[1])]
    inside = {at for at in places if (p := in_the_edit(*at, size, how)) and allowed[*p]}
    assert 0 < len(inside) < len(places)
    outside = np.array([at for at in places if at not in inside])
    # What `fit` added around the picture is not the edit's business.
    picture = edited[max(0, -cut[0]) :, max(0, -cut[1]) :]
    picture = picture[: min(inner[0], EDIT[0]), : min(inner[1], EDIT[1])]
    for y, x in places:
        if (y, x) not in inside:
            assert (result[y, x] == source[y, x]).all()
            continue
        distance = np.sqrt(((outside - (y, x)) ** 2).sum(axis=1).min())
        share = min(1, distance * scale / SEAM)
        there = [
            (at + 0.5) * inner[axis] / size[axis] - 0.5 - max(0, cut[axis])
            for axis, at in enumerate((y, x))
        ]
        enlarged = cubic(picture, *there).clip(0, 255)
        expected = source[y, x] + share * (enlarged - source[y, x])
        assert np.abs(result[y, x] - expected).max() <= 1


@pytest.mark.parametrize("dilation", [1, 3, 5])
def test_the_region_is_what_the_editor_may_change(dilation):
    region = np.zeros((64, 96), bool)
    region[17, 40:55] = region[60:, 90:] = True
    latents = latent_mask(torch.from_numpy(region[None]), 8, 12, dilation)[0, 0, 0].numpy()
    expected = latents.repeat(LATENT, axis=0).repeat(LATENT, axis=1)
    assert (editable(region, dilation) == expected).all()


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("size", SIZES)
def test_an_edit_that_changes_nothing_brings_the_source_back(size, how):
    """But for the details that the smaller size does not hold."""
    source = clouds(*size, 0)
    edited = fit(source[None], *EDIT, how)[0]
    result = composite(source, edited, None, how, 3)
    assert np.abs(result.astype(int) - source).mean() < 1.5
    # A picture that is shifted by a pixel of the source differs more.
    assert np.abs(np.roll(result, 1, axis=1).astype(int) - source).mean() > 1.5


def test_without_a_region_the_whole_picture_is_enlarged():
    source, edited = clouds(90, 160, 0), clouds(*EDIT, 1)
    whole = composite(source, edited, None, "pad", 3)
    picture = edited[2:29]  # 27 of 32 rows hold the picture, the others its black borders
    enlarged = cv2.resize(picture, (160, 90), interpolation=cv2.INTER_CUBIC)
    assert (whole == enlarged).all()
    cropped = composite(source, edited, None, "crop", 3)
    # 57 × 32 pixels are cut to 48: of 160 columns about 12 at each side stay as they are.
    assert (cropped[:, :11] == source[:, :11]).all()
    assert (cropped[:, -13:] == source[:, -13:]).all()
    assert (cropped[:, 30:130] != source[:, 30:130]).any(axis=(0, 2)).all()


def test_an_empty_region_leaves_the_source_as_it_is():
    source = clouds(90, 160, 0)
    nothing = np.zeros(EDIT, bool)
    assert (composite(source, clouds(*EDIT, 1), nothing, "crop", 3) == source).all()
