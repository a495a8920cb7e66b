import pytest
import torch
from torch import nn

from jobs.training.bank import Bank
from jobs.training.diffusion import denoising_loss, silence_residuals
from jobs.training.loop import fit
from jobs.training.workers import Worker
from strmatch.miniature.model import make_clip, make_scheduler, make_unet
from strmatch.miniature.scenes import caption
from tests.jobs.training.helpers import TOKENIZER, Listener, phase


class Oracle(nn.Module):
    """Knows the only clip there is, so that it can tell noise and v exactly."""

    def __init__(self, clean, scheduler):
        super().__init__()
        self.clean, self.scheduler, self.timesteps, self.shapes = clean, scheduler, [], []

    def forward(self, noisy, timesteps, text):
        self.timesteps += timesteps.tolist()
        self.shapes.append((tuple(noisy.shape), tuple(text.shape)))
        alpha = self.scheduler.alphas_cumprod[timesteps].view(-1, 1, 1, 1, 1)
        noise = (noisy - alpha.sqrt() * self.clean) / (1 - alpha).sqrt()
        if self.scheduler.config.prediction_type == "epsilon":
            return noise
        return self.scheduler.get_velocity(self.clean.expand_as(noise), noise, timesteps)


def one_clip(bank):
    return Bank(bank.latents[:1], bank.scenes[:1])


@pytest.mark.parametrize("prediction", ["v_prediction", "epsilon"])
def test_a_perfect_network_has_no_loss(bank, prediction):
    scheduler = make_scheduler(prediction)
    oracle = Oracle(bank.latents[:1].float().transpose(1, 2), scheduler)
    loss = denoising_loss(
        oracle, Listener(), TOKENIZER, scheduler, one_clip(bank), phase(), 4, "cpu"
    )
    for step in range(8):
        assert float(loss(step, torch.Generator().manual_seed(step))) < 1e-4


def test_an_epsilon_error_weighs_one_over_alpha_at_most_twenty(bank):
    scheduler = make_scheduler("epsilon")
    oracle = Oracle(bank.latents[:1].float().transpose(1, 2), scheduler)

    class Off(nn.Module):
        def forward(self, *arguments):
            return oracle(*arguments) + 1

    loss = denoising_loss(
        Off(), Listener(), TOKENIZER, scheduler, one_clip(bank), phase(), 4, "cpu"
    )
    value = float(loss(0, torch.Generator().manual_seed(0)))
    weights = [min(1 / float(scheduler.alphas_cumprod[t]), 20) for t in oracle.timesteps]
    assert value == pytest.approx(sum(weights) / 4, rel=1e-3)


def test_timesteps_of_clips_are_stratified_and_crowd_where_layout_is_decided(bank):
    scheduler = make_scheduler("v_prediction")
    oracle = Oracle(bank.latents[:1].float().transpose(1, 2), scheduler)
    loss = denoising_loss(
        oracle, Listener(), TOKENIZER, scheduler, one_clip(bank), phase(), 4, "cpu"
    )
    for step in range(50):
        loss(step, torch.Generator().manual_seed(step))
        assert sum(t < 668 for t in oracle.timesteps[-4:]) == 2  # half a clip's: 1 / (1 + e^-0.7)
    middle = sum(250 <= t < 750 for t in oracle.timesteps) / len(oracle.timesteps)
    # P((-ln 3 - 0.7) / 1.25 < z < (ln 3 - 0.7) / 1.25) = 0.55 for a standard normal z
    assert 0.5 < middle < 0.6


def test_captions_are_now_and_then_cut_or_left_out(bank):
    listener, scheduler = Listener(), make_scheduler("v_prediction")
    oracle = Oracle(bank.latents[:1].float().transpose(1, 2), scheduler)
    loss = denoising_loss(oracle, listener, TOKENIZER, scheduler, one_clip(bank), phase(), 4, "cpu")
    for step in range(250):
        loss(step, torch.Generator().manual_seed(step))
    whole = caption(bank.scenes[0])
    share = {text: listener.heard.count(text) / 1000 for text in set(listener.heard)}
    assert 0.07 < share[""] < 0.13 and 0.75 < share[whole] < 0.85
    assert set(share) == {"", whole} | {
        caption(bank.scenes[0], {name}) for name in ("shape", "colour", "motion", "background")
    }


def test_image_steps_take_single_frames_of_many_clips_and_say_nothing_of_motion(bank):
    listener, scheduler = Listener(), make_scheduler("v_prediction")

    class Still(nn.Module):
        def forward(self, noisy, timesteps, text):
            assert noisy.shape == (12, 4, 1, 16, 16)
            assert text.shape[0] == timesteps.shape[0] == 12
            return noisy

    still = phase(images=1.0)
    loss = denoising_loss(Still(), listener, TOKENIZER, scheduler, bank, still, 3, "cpu")
    for step in range(20):
        loss(step, torch.Generator().manual_seed(step))
    assert not {"moving", "standing"} & set(" ".join(listener.heard).split())


def test_clips_of_one_frame_say_nothing_of_motion(bank):
    listener, scheduler = Listener(), make_scheduler("v_prediction")
    frames = Bank(bank.latents[:, :1], bank.scenes)
    alone = phase(frames=1)
    loss = denoising_loss(
        lambda noisy, timesteps, text: noisy,
        listener,
        TOKENIZER,
        scheduler,
        frames,
        alone,
        4,
        "cpu",
    )
    for step in range(20):
        loss(step, torch.Generator().manual_seed(step))
    assert not {"moving", "standing"} & set(" ".join(listener.heard).split())


def test_an_untrained_network_predicts_nothing():
    unet = make_unet()
    silence_residuals(unet)
    output = unet(torch.randn(1, 4, 2, 16, 16), torch.tensor([500]), torch.randn(1, 5, 128))
    assert output.count_nonzero() == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("steps", "frames", "left"),
    [(30, 1, 0.9), (60, 4, 0.8)],
    ids=["frames", "clips"],
)
def test_training_lowers_the_loss(tmp_path, bank, steps, frames, left):
    torch.manual_seed(0)
    bank = Bank(bank.latents[:, :frames], bank.scenes)
    unet, text = make_unet(), make_clip(TOKENIZER).text_model
    silence_residuals(unet)
    scheduler = make_scheduler("v_prediction")
    model = nn.ModuleDict({"unet": unet, "text_tower": text})
    stage = phase(frames=frames, steps=steps)
    loss = denoising_loss(unet, text, TOKENIZER, scheduler, bank, stage, 4, "cpu")

    def measure():
        with torch.no_grad():
            draws = [loss(0, torch.Generator().manual_seed(1000 + i)) for i in range(8)]
        return float(torch.stack(draws).mean())

    before = measure()
    fit("tiny", model, lambda: loss, stage, Worker(), tmp_path, 0, lambda line: None)
    assert measure() < left * before


def test_a_shown_frame_is_clean_and_has_no_loss(bank):
    scheduler = make_scheduler("v_prediction")
    clean = bank.latents[:1].float().transpose(1, 2)
    oracle = Oracle(clean, scheduler)
    wrong = []

    class OffWhereShown(nn.Module):
        def forward(self, noisy, timesteps, text):
            same = (noisy == clean).flatten(3).all(dim=3).all(dim=1)  # (b, f)
            assert (same.sum(dim=1) == 1).all()
            wrong.append(same.float().argmax(dim=1))
            return oracle(noisy, timesteps, text) + 1e3 * same[:, None, :, None, None]

    one_shown = phase(shown=1.0)
    loss = denoising_loss(
        OffWhereShown(), Listener(), TOKENIZER, scheduler, one_clip(bank), one_shown, 4, "cpu"
    )
    for step in range(8):
        assert float(loss(step, torch.Generator().manual_seed(step))) < 1e-4
    assert set(torch.cat(wrong).tolist()) == {0, 1, 2, 3}
