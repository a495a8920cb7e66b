import math

import numpy as np
import pytest
import torch

from jobs.evaluation.measures import background, centroid_error, iou, psnr


def test_psnr_of_a_known_error():
    truth = np.zeros((2, 4, 4, 3), np.uint8)
    assert psnr(truth + 10, truth) == pytest.approx(20 * math.log10(25.5))
    assert psnr(truth, truth) == math.inf


def test_psnr_looks_only_where_it_is_told():
    truth = np.zeros((1, 4, 4, 3), np.uint8)
    frames = truth.copy()
    frames[0, 0, 0] = 255
    where = np.ones((1, 4, 4), bool)
    where[0, 0, 0] = False
    assert psnr(frames, truth, where) == math.inf
    assert psnr(frames, truth, ~where) == 0
    assert math.isnan(psnr(frames, truth, np.zeros_like(where)))


def test_centroid_error_is_the_median_over_frames_with_a_subject():
    truth = torch.zeros(5, 2)
    track = torch.tensor([[3.0, 4.0], [0, 1], [0, 2], [torch.nan, torch.nan], [0, 0]])
    assert centroid_error(track, truth) == 1.0
    assert centroid_error(track.fill_(torch.nan), truth) == math.inf


def test_iou_of_halves():
    mask, truth = torch.zeros(2, 2, 4, 4, dtype=torch.bool)
    mask[:, :2], truth[:, 1:3] = True, True
    assert iou(mask, truth) == pytest.approx(1 / 3)
    mask[1] = False
    assert iou(mask, truth) == pytest.approx(1 / 6)


def test_background_keeps_four_pixels_off_every_pixel_that_may_change():
    mask = np.zeros((2, 64, 64), bool)
    mask[0, 30, 30] = True
    outside = background(mask, (16, 16), 3)
    assert outside[1].all()
    # Pixel 30 lies in latent 7; dilated, latents 6 … 8 are pixels 24 … 35.
    rows, columns = np.nonzero(~outside[0])
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (21, 38, 21, 38)
