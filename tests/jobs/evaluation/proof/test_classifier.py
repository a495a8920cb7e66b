import numpy as np
import torch

from jobs.evaluation.proof.classifier import FRAMES, SIDE, VideoClassifier, predict, prepare, train


def moving(way, place):
    """A bright bar that moves by a place every frame, (3, f, h, w)."""
    clip = torch.zeros(3, FRAMES, SIDE, SIDE, dtype=torch.uint8)
    for frame in range(FRAMES):
        clip[:, frame, :, (place + 2 * way * frame) % SIDE] = 255
    return clip


def test_the_classifier_learns_a_motion_that_no_single_frame_shows():
    places = list(range(0, SIDE, 2))
    clips = torch.stack([moving(way, place) for place in places for way in (1, -1)])
    labels = torch.tensor([0, 1] * len(places))
    model = train(clips, labels, classes=2, steps=40, seed=0)
    other = torch.stack([moving(way, place + 1) for place in places for way in (1, -1)])
    assert (predict(model, other) == labels).float().mean() > 0.9
    repeated = train(clips, labels, classes=2, steps=40, seed=0)
    for one, same in zip(model.parameters(), repeated.parameters(), strict=True):
        assert torch.equal(one, same)


def test_the_classifier_is_small():
    assert sum(p.numel() for p in VideoClassifier(4).parameters()) < 300_000


def test_prepare_takes_evenly_spaced_frames_and_means_of_areas():
    frames = np.zeros((16, 64, 64, 3), np.uint8)
    frames[..., 0] = np.arange(16)[:, None, None] * 10
    frames[:, ::2, :, 1] = 100
    clip = prepare(frames)
    assert clip.shape == (3, FRAMES, SIDE, SIDE) and clip.dtype == torch.uint8
    assert clip[0, :, 0, 0].tolist() == [0, 20, 40, 60, 90, 110, 130, 150]
    assert (clip[1] == 50).all()
