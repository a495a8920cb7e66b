import torch

from jobs.training.bank import _frames, _shown, draw_batch, fill_bank
from jobs.training.workers import Worker
from strmatch.miniature.model import make_vae
from strmatch.miniature.scenes import caption, sample_scene
from strmatch.miniature.world import render
from tests.jobs.training.helpers import phase


def test_the_bank_holds_the_encoded_clips_of_its_scenes(bank):
    assert bank.latents.shape == (6, 4, 4, 16, 16) and bank.latents.dtype == torch.float16
    assert len(bank.scenes) == 6
    torch.manual_seed(0)
    again = fill_bank(make_vae().eval(), phase(), Worker(), 0, "test")
    half = fill_bank(make_vae().eval(), phase(), Worker(1, 2), 0, "test")
    assert again.scenes == bank.scenes and torch.equal(again.latents, bank.latents)
    assert len(half.scenes) == 3 and half.scenes != bank.scenes[:3]


def test_shown_frames_are_the_first_unless_they_may_be_any(bank):
    clean = torch.zeros(400, 4, 4, 2, 2)
    generator = torch.Generator().manual_seed(0)
    first = _shown(clean, phase(shown=0.5, shown_anywhere=0.0), generator)
    assert 160 < first.sum() < 240 and not first[:, 1:].any()
    mixed = _shown(clean, phase(shown=1.0, shown_anywhere=0.4), generator).float().mean(dim=0)
    assert mixed.sum() == 1 and 0.6 < mixed[0] < 0.8  # 0.6 + 0.4 / 4
    assert not _shown(clean[:, :, :1], phase(shown=1.0), generator).any()


def test_a_stretch_of_a_clip_has_its_very_frames():
    scenes = [sample_scene(seed) for seed in range(6)]
    generator = torch.Generator().manual_seed(0)
    stretches = _frames(scenes, phase(frames=3, stride=5), generator, "cpu")
    whole = render(scenes).frames
    firsts = set()
    for stretch, clip in zip(stretches, whole, strict=True):
        found = [i for i in range(6) if torch.equal(stretch, clip[i : i + 11 : 5])]
        assert found
        firsts.update(found)
    assert len(firsts) > 1


def test_a_batch_has_the_latents_and_captions_of_its_clips(bank):
    batch = draw_batch(bank, phase(shown=0.5), 40, torch.Generator().manual_seed(0))
    rows = [
        next(row for row, own in enumerate(bank.latents) if torch.equal(own.float(), clip))
        for clip in batch.clean.transpose(1, 2)
    ]
    assert batch.clean.shape == (40, 4, 4, 16, 16) and not batch.still
    assert len(set(rows)) == len(bank.scenes) and 5 < batch.shown.sum() < 35
    whole = [
        text == caption(bank.scenes[row]) for row, text in zip(rows, batch.captions, strict=True)
    ]
    assert 25 < sum(whole) < 40


def test_frames_apart_come_from_many_clips_and_none_is_shown(bank):
    still = phase(images=1.0, shown=1.0)
    batch = draw_batch(bank, still, 3, torch.Generator().manual_seed(0))
    assert batch.still and batch.clean.shape == (12, 4, 1, 16, 16) and not batch.shown.any()
