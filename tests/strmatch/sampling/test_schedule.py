import pytest
import torch
from diffusers import (
    CogVideoXDDIMScheduler,
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    UniPCMultistepScheduler,
)

from strmatch.sampling.fresh_start import freshen
from strmatch.sampling.schedule import Schedule, to_epsilon
from strmatch.sampling.solver import denoise, invert

LAVIE = {
    "beta_start": 1e-4,
    "beta_end": 0.02,
    "beta_schedule": "linear",
    "steps_offset": 1,
    "set_alpha_to_one": False,
    "clip_sample": False,
}
ZERO_SNR = {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
SCHEDULERS = {
    "epsilon": lambda: DDIMScheduler(**LAVIE),
    "cogvideox": lambda: CogVideoXDDIMScheduler(prediction_type="v_prediction", **ZERO_SNR),
    "flow": lambda: FlowMatchEulerDiscreteScheduler(shift=3.0),
    "wan": lambda: UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
    ),
}
every_schedule = pytest.mark.parametrize("name", SCHEDULERS)


def schedule(steps, name="epsilon"):
    return Schedule.from_scheduler(SCHEDULERS[name](), steps)


def normal(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


class Gaussian:
    """The exact prediction for data drawn from N(mean, deviation²), without model error."""

    def __init__(self, levels, mean=0.3, deviation=0.7):
        self.mean, self.deviation, self.prediction = mean, deviation, levels.prediction
        self.scales = dict(
            zip(levels.timesteps, zip(levels.alphas, levels.sigmas, strict=True), strict=True)
        )

    def __call__(self, latents, timestep):
        alpha, sigma = self.scales[timestep]
        variance = alpha**2 * self.deviation**2 + sigma**2
        rest = (latents - alpha * self.mean) / variance
        noise, clean = sigma * rest, self.mean + alpha * self.deviation**2 * rest
        match self.prediction:
            case "epsilon":
                return noise
            case "v_prediction":
                return alpha * noise - sigma * clean
        return noise - clean


def test_lavie_uses_timesteps_981_to_1():
    levels = schedule(50)
    assert levels.timesteps[:3] == (0, 1, 21)
    assert levels.timesteps[-1] == 981
    assert levels.num_steps == 50


@every_schedule
def test_levels_go_from_clip_to_noise(name):
    levels = schedule(50, name)
    assert list(levels.alphas) == sorted(levels.alphas, reverse=True)
    assert list(levels.sigmas) == sorted(levels.sigmas)
    assert list(levels.timesteps) == sorted({*levels.timesteps})
    assert levels.sigmas[0] < 0.011 and levels.sigmas[-1] > 0.9999
    assert (levels.alphas[-1] == 0) == (name in ("cogvideox", "flow"))
    total = 1 if levels.prediction == "flow_prediction" else 2
    for alpha, sigma in zip(levels.alphas, levels.sigmas, strict=True):
        assert alpha**total + sigma**total == pytest.approx(1)


def test_the_labels_of_flow_matching_are_those_of_diffusers():
    scheduler = SCHEDULERS["flow"]()
    levels = Schedule.from_scheduler(scheduler, 7)
    assert levels.timesteps[1:] == tuple(scheduler.timesteps.flip(0).tolist())
    assert levels.timesteps[1] % 1 and levels.timesteps[-1] == 1000
    assert schedule(7, "wan").timesteps[-1] == 999


def reconstruction_errors(name, label, mean=0.3, deviation=0.7):
    latents, errors = mean + deviation * normal(1, 4, 8, 6, 6), []
    for steps in (50, 100, 200):
        levels = schedule(steps, name)
        model = Gaussian(levels, mean, deviation)
        if label == "current":  # the label of level 0, whose prediction is that of level 1
            model.scales[0] = model.scales[levels.timesteps[1]]
        trajectory = invert(model, latents, levels, label)
        assert trajectory.shape == (steps + 1, *latents.shape)
        back = denoise(model, trajectory[-1], levels)
        errors.append(((back - latents).norm() / latents.norm()).item())
    return errors


@every_schedule
def test_inversion_and_denoising_return_the_latents(name):
    errors = reconstruction_errors(name, "next")
    assert errors[0] < 0.05
    assert errors[0] > errors[1] > errors[2]


class Mixture:
    """The exact prediction for data of a mixture of Gaussians, whose paths are curved."""

    def __init__(self, levels):
        self.means, self.deviations = normal(5, 16), torch.linspace(0.4, 0.8, 5).double()
        self.parts = [
            Gaussian(levels, *pair) for pair in zip(self.means, self.deviations, strict=True)
        ]

    def sample(self, count):
        which = torch.randint(5, (count,), generator=torch.Generator().manual_seed(0))
        return self.means[which] + self.deviations[which, None] * normal(count, 16, seed=2)

    def __call__(self, latents, timestep):
        alpha, sigma = self.parts[0].scales[timestep]
        variances = (alpha * self.deviations) ** 2 + sigma**2
        distances = (latents[:, None] - alpha * self.means).square().sum(dim=-1) / variances
        weights = torch.softmax(-distances / 2 - 8 * variances.log(), dim=-1)
        outputs = torch.stack([part(latents, timestep) for part in self.parts], dim=1)
        return (weights[..., None] * outputs).sum(dim=1)


@every_schedule
def test_refined_inversion_is_reconstructed_within_1_percent_in_50_steps(name):
    """Latents between two Gaussians go astray with few refinements, hence the median of the first.

    The median error was 1.2 to 3.8 % with none, and 0.06 to 0.31 % with one. The error of all
    together was 6.8 to 10.6 % with none, and 0.07 to 0.27 % with three.
    """
    levels = schedule(50, name)
    model = Mixture(levels)
    latents, errors = model.sample(256), {}
    for refinements in (0, 1, 3):
        noisiest = invert(model, latents, levels, refinements=refinements)[-1]
        errors[refinements] = (denoise(model, noisiest, levels) - latents).norm(dim=1)
    medians = [(each / latents.norm(dim=1)).median() for each in errors.values()]
    assert medians[0] > 0.01 > medians[1] > medians[2]
    assert errors[0].norm() > 0.05 * latents.norm()
    assert errors[3].norm() < 0.01 * latents.norm()


@every_schedule
def test_one_refinement_reconstructs_gaussian_data_within_1_percent_in_50_steps(name):
    """The error was 1.0 to 3.3 % with none, and 0.02 to 0.28 % with one."""
    levels, latents = schedule(50, name), 0.3 + 0.7 * normal(1, 4, 8, 6, 6)
    model, errors = Gaussian(levels), []
    for refinements in (0, 1):
        noisiest = invert(model, latents, levels, refinements=refinements)[-1]
        errors.append((denoise(model, noisiest, levels) - latents).norm() / latents.norm())
    assert errors[1] < 0.01 and errors[1] < errors[0] / 4


def test_the_timestep_of_the_next_level_reconstructs_better():
    for mean, deviation in ((0.3, 0.7), (0, 1), (0.5, 0.25), (0, 2)):
        by_next = reconstruction_errors("epsilon", "next", mean, deviation)
        by_current = reconstruction_errors("epsilon", "current", mean, deviation)
        assert all(a < b for a, b in zip(by_next, by_current, strict=True))
        assert by_current[0] > by_current[1] > by_current[2]


@pytest.mark.parametrize("label", ["current", "next"])
@pytest.mark.parametrize(("name", "until"), [("epsilon", 140), ("flow", 319.5)])
def test_noised_levels_share_one_noise_and_inversion_continues_from_them(label, name, until):
    latents, levels = 0.3 + 0.7 * normal(1, 4, 8, 6, 6), schedule(20, name)
    model = Gaussian(levels)
    trajectory = invert(model, latents, levels, label, noised_until=until)
    noises = [(trajectory[k] - levels.alphas[k] * latents) / levels.sigmas[k] for k in (1, 2, 3)]
    for noise in noises:
        torch.testing.assert_close(noise, noises[0])
    assert abs(noises[0].mean()) < 0.1
    assert abs(noises[0].std() - 1) < 0.1
    assert torch.equal(trajectory[0], latents)
    z = trajectory[3]
    for k in range(3, 20):
        labelled = k + (label == "next")
        z = levels.step(z, model(z, levels.timesteps[labelled]), k, k + 1, labelled)
        assert torch.equal(trajectory[k + 1], z)
    assert torch.equal(invert(model, latents, levels, label, noised_until=until), trajectory)


@pytest.mark.parametrize("name", ["epsilon", "cogvideox", "flow"])
def test_steps_equal_those_of_diffusers(name):
    scheduler = SCHEDULERS[name]()
    theirs = ours = normal(1, 4, 2, 3, 3)
    weights = normal(*ours.shape, seed=1)

    def output(z, t):
        return torch.tanh(z * weights + t / 1000)

    scheduler.set_timesteps(10)
    for t in scheduler.timesteps:
        theirs = scheduler.step(output(theirs, float(t)), t, theirs).prev_sample
    ours = denoise(output, ours, Schedule.from_scheduler(scheduler, 10))
    # diffusers stores ᾱ and σ in single precision.
    torch.testing.assert_close(ours, theirs.double(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["flow", "wan"])
def test_a_step_of_flow_matching_is_eulers(name):
    levels, z, v = schedule(10, name), normal(5), normal(5, seed=1)
    for start, end in ((10, 9), (1, 0), (0, 1), (9, 10)):
        euler = z + (levels.sigmas[end] - levels.sigmas[start]) * v
        torch.testing.assert_close(levels.step(z, v, start, end), euler, rtol=1e-12, atol=1e-12)


@every_schedule
def test_a_step_and_its_inverse_with_equal_prediction_are_exact(name):
    """Also to and from a level without signal."""
    levels, z, prediction = schedule(10, name), normal(2, 7), normal(2, 7, seed=1)
    for level in range(1, 10):
        there = levels.step(z, prediction, level, level + 1, predicted_at=level + 1)
        back = levels.step(there, prediction, level + 1, level)
        torch.testing.assert_close(back, z, rtol=1e-9, atol=1e-9)


@every_schedule
def test_noise_in_two_parts_has_the_variance_of_a_level(name):
    levels, clean = schedule(10, name), torch.zeros(200_000)
    noise = [torch.randn(clean.shape, generator=torch.Generator().manual_seed(k)) for k in (0, 1)]
    z = levels.renoised(levels.noised(clean, noise[0], 5), noise[1], 6)
    assert z.std().item() == pytest.approx(levels.sigmas[6], rel=0.01)
    signal = levels.renoised(levels.alphas[5] * torch.ones(3), torch.zeros(3), 6)
    torch.testing.assert_close(signal, levels.alphas[6] * torch.ones(3))


@pytest.mark.parametrize("name", ["flow", "wan", "cogvideox"])
def test_a_fresh_start_keeps_the_distribution_of_the_noisiest_level(name):
    levels = schedule(50, name)
    clip = 0.3 + 0.7 * normal(1, 4, 6, 32, 32)
    noisiest = invert(Gaussian(levels), clip, levels)[-1]
    for share in (0.0, 0.5, 1.0):
        fresh = freshen(noisiest, share)
        assert fresh.std().item() == pytest.approx(1, abs=0.06)
        assert abs(fresh.mean().item()) < 0.05


def test_v_prediction_is_converted_to_the_noise():
    noise, clean, alpha = torch.randn(5), torch.randn(5), 0.3
    noisy = alpha**0.5 * clean + (1 - alpha) ** 0.5 * noise
    v = alpha**0.5 * noise - (1 - alpha) ** 0.5 * clean
    torch.testing.assert_close(to_epsilon(v, noisy, alpha, "v_prediction"), noise)


def test_unknown_prediction_type_is_refused():
    with pytest.raises(ValueError, match="prediction_type"):
        to_epsilon(torch.zeros(1), torch.zeros(1), 0.5, "sample")


WRONG_SCHEDULERS = [
    (DPMSolverMultistepScheduler(), "DPMSolverMultistepScheduler with prediction_type 'epsilon'"),
    (DDIMScheduler(prediction_type="sample"), "DDIMScheduler with prediction_type 'sample'"),
    (DDIMScheduler(**ZERO_SNR), "no signal .* needs prediction_type 'v_prediction'"),
    (FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True), "with use_dynamic_shifting"),
    (FlowMatchEulerDiscreteScheduler(invert_sigmas=True), "with invert_sigmas"),
]


@pytest.mark.parametrize(("scheduler", "message"), WRONG_SCHEDULERS)
def test_schedulers_of_another_kind_are_refused(scheduler, message):
    with pytest.raises(ValueError, match=message):
        Schedule.from_scheduler(scheduler, 10)
