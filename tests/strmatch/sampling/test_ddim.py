import pytest
import torch
from diffusers import DDIMScheduler

from strmatch.sampling.ddim import Schedule, ddim_step, denoise, invert, to_epsilon

LAVIE = {
    "beta_start": 1e-4,
    "beta_end": 0.02,
    "beta_schedule": "linear",
    "steps_offset": 1,
    "set_alpha_to_one": False,
    "clip_sample": False,
}


def schedule(steps, **overrides):
    return Schedule.from_scheduler(DDIMScheduler(**LAVIE | overrides), steps)


class Gaussian:
    """The exact ε for data drawn from N(mean, deviation²), without model error."""

    def __init__(self, mean, deviation):
        self.mean, self.deviation = mean, deviation
        self.alphas = DDIMScheduler(**LAVIE).alphas_cumprod.double()

    def __call__(self, latents, timestep):
        alpha = float(self.alphas[timestep])
        variance = alpha * self.deviation**2 + 1 - alpha
        return (1 - alpha) ** 0.5 * (latents - alpha**0.5 * self.mean) / variance


def test_lavie_uses_timesteps_981_to_1():
    levels = schedule(50)
    assert levels.timesteps[:3] == (0, 1, 21)
    assert levels.timesteps[-1] == 981
    assert levels.num_steps == 50
    assert list(levels.alphas) == sorted(levels.alphas, reverse=True)


def reconstruction_errors(label, mean=0.3, deviation=0.7):
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(1, 4, 8, 6, 6, generator=generator, dtype=torch.float64)
    latents, model, errors = mean + deviation * noise, Gaussian(mean, deviation), []
    for steps in (50, 100, 200):
        trajectory = invert(model, latents, schedule(steps), label)
        assert trajectory.shape == (steps + 1, *latents.shape)
        back = denoise(model, trajectory[-1], schedule(steps))
        errors.append(((back - latents).norm() / latents.norm()).item())
    return errors


def test_inversion_and_denoising_return_the_latents():
    errors = reconstruction_errors("next")
    assert errors[0] < 0.05
    assert errors[0] > errors[1] > errors[2]


def test_the_timestep_of_the_next_level_reconstructs_better():
    for mean, deviation in ((0.3, 0.7), (0, 1), (0.5, 0.25), (0, 2)):
        by_next = reconstruction_errors("next", mean, deviation)
        by_current = reconstruction_errors("current", mean, deviation)
        assert all(a < b for a, b in zip(by_next, by_current, strict=True))
        assert by_current[0] > by_current[1] > by_current[2]


@pytest.mark.parametrize("label", ["current", "next"])
def test_noised_levels_share_one_noise_and_inversion_continues_from_them(label):
    generator = torch.Generator().manual_seed(0)
    latents = 0.3 + 0.7 * torch.randn(1, 4, 8, 6, 6, generator=generator, dtype=torch.float64)
    model, levels = Gaussian(0.3, 0.7), schedule(20)
    trajectory = invert(model, latents, levels, label, noised_until=140)
    noises = [
        (trajectory[k] - levels.alphas[k] ** 0.5 * latents) / (1 - levels.alphas[k]) ** 0.5
        for k in (1, 2, 3)
    ]
    for noise in noises:
        torch.testing.assert_close(noise, noises[0])
    assert abs(noises[0].mean()) < 0.1
    assert abs(noises[0].std() - 1) < 0.1
    assert torch.equal(trajectory[0], latents)
    z = trajectory[3]
    for k in range(3, 20):
        noise = model(z, levels.timesteps[k + (label == "next")])
        z = ddim_step(z, noise, levels.alphas[k], levels.alphas[k + 1])
        assert torch.equal(trajectory[k + 1], z)
    assert torch.equal(invert(model, latents, levels, label, noised_until=140), trajectory)


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_steps_equal_those_of_diffusers(prediction_type):
    scheduler = DDIMScheduler(**LAVIE, prediction_type=prediction_type)
    generator = torch.Generator().manual_seed(0)
    latents = theirs = torch.randn(1, 4, 2, 3, 3, generator=generator, dtype=torch.float64)
    weights = torch.randn(latents.shape, generator=generator, dtype=torch.float64)

    def output(z, t):
        return torch.tanh(z * weights + t / 1000)

    def epsilon(z, t):
        return to_epsilon(output(z, t), z, float(scheduler.alphas_cumprod[t]), prediction_type)

    scheduler.set_timesteps(10)
    for t in scheduler.timesteps:
        theirs = scheduler.step(output(theirs, int(t)), t, theirs).prev_sample
    ours = denoise(epsilon, latents, Schedule.from_scheduler(scheduler, 10))
    # diffusers stores ᾱ in single precision.
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_v_prediction_is_converted_to_the_noise():
    noise, clean, alpha = torch.randn(5), torch.randn(5), 0.3
    noisy = alpha**0.5 * clean + (1 - alpha) ** 0.5 * noise
    v = alpha**0.5 * noise - (1 - alpha) ** 0.5 * clean
    torch.testing.assert_close(to_epsilon(v, noisy, alpha, "v_prediction"), noise)


def test_unknown_prediction_type_is_refused():
    with pytest.raises(ValueError, match="prediction_type"):
        to_epsilon(torch.zeros(1), torch.zeros(1), 0.5, "sample")


def test_a_step_and_its_inverse_with_equal_noise_are_exact():
    z, noise = torch.randn(2, 7, dtype=torch.float64)
    there = ddim_step(z, noise, 0.9, 0.2)
    torch.testing.assert_close(ddim_step(there, noise, 0.2, 0.9), z)
