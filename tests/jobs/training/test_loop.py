import json
import math
import multiprocessing
import os
import signal

import pytest
import torch
from torch import nn

from jobs.training import loop
from jobs.training.loop import fit, learning_rate, step_generator
from jobs.training.recipe import Phase
from jobs.training.workers import Worker

PHASE = Phase(steps=40, batch=8, learning_rate=0.1, final_learning_rate=0.01, warmup=5, ema=0.9)


# Processes of a server fork no threads of other tests' libraries, whose locks would stay held.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload([__name__])


@pytest.fixture(autouse=True)
def often(monkeypatch):
    report_often(monkeypatch.setattr)


def report_often(set_attribute=setattr):
    set_attribute(loop, "REPORT_EVERY", 10)
    set_attribute(loop, "CHECKPOINT_EVERY", 0.0)


def model():
    torch.manual_seed(0)
    return nn.Linear(3, 1)


def regression(net, dies_at=None):
    """Noisy samples of a plane; the process kills itself at a step."""

    def loss(step, generator):
        if step == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        x = torch.randn(PHASE.batch, 3, generator=generator)
        noise = 0.1 * torch.randn(PHASE.batch, 1, generator=generator)
        return (net(x) - x @ torch.tensor([[1.0], [2.0], [3.0]]) + noise).square().mean()

    return loss


def run(folder, dies_at=None, phase=PHASE):
    net, reports = model(), []
    fit("plane", net, lambda: regression(net, dies_at), phase, Worker(), folder, 0, reports.append)
    return net, reports


def run_to_death(folder, dies_at):
    report_often()
    torch.set_num_threads(1)
    run(folder, dies_at)


def curve(folder):
    rows = [json.loads(line) for line in (folder / "loss.jsonl").read_text().splitlines()]
    return [(row["step"], row["loss"]) for row in rows]


def test_the_loss_falls_and_every_tenth_step_is_reported(tmp_path):
    _, reports = run(tmp_path)
    steps, losses = zip(*curve(tmp_path), strict=True)
    assert steps == (10, 20, 30, 40)
    assert losses[-1] < losses[0] / 5
    assert reports[-1].startswith(f"plane: step 40/40, loss {losses[-1]:.4f}")


@pytest.mark.parametrize("dies_at", [10, 17, 39])
def test_a_killed_run_resumes_to_the_same_curve_and_weights(tmp_path, dies_at):
    undisturbed, _ = run(tmp_path / "undisturbed")
    process = PROCESSES.Process(target=run_to_death, args=(tmp_path / "killed", dies_at))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    resumed, _ = run(tmp_path / "killed")
    assert curve(tmp_path / "killed") == curve(tmp_path / "undisturbed")
    for ours, theirs in zip(resumed.parameters(), undisturbed.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_rows_after_the_last_checkpoint_are_not_logged_twice(tmp_path):
    run(tmp_path)
    with (tmp_path / "loss.jsonl").open("a") as file:
        file.write(json.dumps({"step": 50, "loss": 1.0, "seconds": 1.0}) + "\n")
    run(tmp_path)
    assert [step for step, _ in curve(tmp_path)] == [10, 20, 30, 40]


def test_a_completed_phase_is_only_loaded(tmp_path):
    first, _ = run(tmp_path)
    second = model()
    fit("plane", second, lambda: pytest.fail("trained again"), PHASE, Worker(), tmp_path, 0)
    assert torch.equal(first.weight, second.weight)


def test_the_model_is_left_with_the_averaged_weights(tmp_path):
    net, seen = model(), []
    plain = regression(net)

    def loss(step, generator):
        seen.append(net.weight.detach().clone())
        return plain(step, generator)

    fit("plane", net, lambda: loss, PHASE, Worker(), tmp_path, 0, lambda line: None)
    last = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["parameters"]["weight"]
    average = seen[0]
    for step, weight in enumerate([*seen[1:], last]):
        decay = min(PHASE.ema, (1 + step) / (10 + step))
        average = decay * average + (1 - decay) * weight
    torch.testing.assert_close(net.weight, average)


def test_frozen_parameters_stay_and_are_not_saved(tmp_path):
    net = model()
    net.bias.requires_grad_(False)
    before = net.bias.clone()
    fit("plane", net, lambda: regression(net), PHASE, Worker(), tmp_path, 0, lambda line: None)
    assert torch.equal(net.bias, before)
    assert list(torch.load(tmp_path / "checkpoint.pt", weights_only=True)["average"]) == ["weight"]


def test_another_phase_in_the_folder_is_refused(tmp_path):
    run(tmp_path)
    with pytest.raises(ValueError, match="made with other settings"):
        run(tmp_path, phase=PHASE.model_copy(update={"learning_rate": 0.2}))


def test_a_loss_that_is_not_finite_stops_the_training(tmp_path):
    net = model()
    with pytest.raises(ValueError, match="plane: the loss of step 0 is nan"):
        fit(
            "plane", net, lambda: lambda step, g: net.weight.sum() * math.nan, PHASE, Worker(),
            tmp_path, 0,
        )  # fmt: skip


def test_the_learning_rate_warms_up_and_follows_half_a_cosine():
    assert learning_rate(PHASE, 0) == pytest.approx(0.02)
    assert learning_rate(PHASE, 4) == learning_rate(PHASE, 5) == pytest.approx(0.1)
    middle = learning_rate(PHASE.model_copy(update={"steps": 45}), 25)
    assert middle == pytest.approx((0.1 + 0.01) / 2)
    assert learning_rate(PHASE, 39) == pytest.approx(0.01, rel=0.02)


def test_a_steps_randomness_depends_on_all_its_arguments():
    def draw(*arguments):
        return torch.rand((), generator=step_generator(*arguments)).item()

    assert draw(0, "a", 1, 0) == draw(0, "a", 1, 0)
    assert len({draw(0, "a", 1, 0), draw(1, "a", 1, 0), draw(0, "b", 1, 0), draw(0, "a", 2, 0),
                draw(0, "a", 1, 1)}) == 5  # fmt: skip
