"""Flow matching in the form of DDIM against Euler steps of its own equation."""

import pytest
import torch
from diffusers import (
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    UniPCMultistepScheduler,
)

from strmatch.backbones.joint.levels import Levels
from strmatch.sampling.ddim import Schedule, denoise, invert
from tests.strmatch.backbones.joint.tiny import cogvideox_parts

FLOW = {
    "euler": lambda: FlowMatchEulerDiscreteScheduler(shift=3.0),
    "unipc": lambda: UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
    ),
}


def denoiser(levels, velocity):
    """ε of the latents of DDIM by a model of velocities."""

    def epsilon(z, t):
        return levels.to_epsilon(velocity(levels.input_scale(t) * z, t / 1000), z, t)

    return epsilon


@pytest.mark.parametrize("name", FLOW)
def test_denoising_equals_euler_steps_along_the_velocity(name):
    levels = Levels(FLOW[name]())
    schedule = Schedule.from_scheduler(levels, 8)
    sigmas = [t / 1000 for t in schedule.timesteps]
    assert sigmas[-1] == 0.999 and sigmas[0] == 0 and len({*sigmas}) == 9
    torch.manual_seed(0)
    weights = torch.randn(6, 6, dtype=torch.float64) / 3

    def velocity(z, sigma):
        return torch.tanh(z @ weights) * (1 + sigma)

    start = torch.randn(2, 6, dtype=torch.float64)
    expected = start * levels.input_scale(schedule.timesteps[-1])
    for k in range(8, 0, -1):
        expected = expected + (sigmas[k - 1] - sigmas[k]) * velocity(expected, sigmas[k])
    actual = denoise(denoiser(levels, velocity), start, schedule)
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", FLOW)
def test_an_analytic_velocity_is_inverted_and_restored_to_first_order(name):
    """Gaussian data of standard deviations 0.5 to 1.5, whose velocity is known exactly.

    The error was 1.7 % at 50 steps and 0.84 % at 100.
    """
    deviations = torch.linspace(0.5, 1.5, 16, dtype=torch.float64)

    def velocity(z, sigma):
        variance = (1 - sigma) ** 2 * deviations**2 + sigma**2
        clean = (1 - sigma) * deviations**2 / variance * z
        noise = sigma / variance * z
        return noise - clean

    levels = Levels(FLOW[name]())
    torch.manual_seed(0)
    clean = torch.randn(4, 16, dtype=torch.float64) * deviations
    epsilon, errors = denoiser(levels, velocity), []
    for steps in (50, 100):
        schedule = Schedule.from_scheduler(levels, steps)
        trajectory = invert(epsilon, clean, schedule, "next")
        restored = denoise(epsilon, trajectory[-1], schedule)
        errors.append((restored - clean).norm() / clean.norm())
    assert errors[0] < 0.02 and errors[1] < 0.01
    assert 0.8 < trajectory[-1].std() < 1.2


def test_the_noisiest_level_of_zero_terminal_snr_can_be_left():
    levels = Levels(cogvideox_parts()[-1])
    schedule = Schedule.from_scheduler(levels, 10)
    assert schedule.timesteps[-1] == 999 and schedule.alphas[-1] == 1e-6
    torch.manual_seed(0)
    clean, noise = torch.randn(2, 1000)
    alpha = schedule.alphas[-1]
    z = alpha**0.5 * clean + (1 - alpha) ** 0.5 * noise
    v = alpha**0.5 * noise - (1 - alpha) ** 0.5 * clean
    epsilon = levels.to_epsilon(v, z, 999)
    found = (z - (1 - alpha) ** 0.5 * epsilon) / alpha**0.5
    torch.testing.assert_close(found, clean, rtol=0, atol=1e-3)


def test_schedulers_of_another_kind_are_refused():
    with pytest.raises(ValueError, match="flow matching or DDIM, got DPMSolverMultistepScheduler"):
        Levels(DPMSolverMultistepScheduler())
