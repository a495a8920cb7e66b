"""Slices of a joint attention compared with an explicit softmax over the joint map."""

import itertools

import pytest
import torch

from jobs.benchmark.memory import peak_bytes
from strmatch.attention import JointChoice
from strmatch.backbones.joint import slices
from strmatch.backbones.joint.heads import head_masses, split_heads
from strmatch.backbones.joint.slices import Grid, HeadSplit, joint_maps

GRID = Grid(frames=3, height=2, width=3, text=4)
HEADS, WIDTH = 3, 8


@pytest.fixture(autouse=True, params=[1, 1 << 25], ids=["frame by frame", "at once"])
def entries(request, monkeypatch):
    monkeypatch.setattr(slices, "ENTRIES", request.param)


@pytest.fixture
def tokens():
    torch.manual_seed(0)
    count = GRID.text + GRID.frames * GRID.positions
    return [
        torch.randn(HEADS, count, WIDTH, dtype=torch.float64, requires_grad=True) for _ in range(2)
    ]


def joint_map(query, key):
    """P of the clip's tokens, (h, f, n, f, n), from the whole softmax with all keys."""
    whole = (query @ key.mT / WIDTH**0.5).softmax(dim=-1)[:, GRID.text :, GRID.text :]
    sizes = (GRID.frames, GRID.positions)
    return whole.unflatten(2, sizes).unflatten(1, sizes)


def near(place, other, side):
    (y, x), (v, u) = (divmod(each, GRID.width) for each in (place, other))
    return max(abs(y - v), abs(x - u)) <= side // 2


def explicit_maps(joint, choice):
    """S (f, h, n, n) and T (n, h, f, f) read from the joint map with loops."""
    f, n = GRID.frames, GRID.positions
    spatial = torch.stack([joint[:, i, :, i] for i in range(f)])
    temporal = joint.new_zeros(n, len(joint), f, f)
    rows = []
    for p in range(n):
        places = [q for q in range(n) if near(p, q, choice.neighbourhood)]
        rows.append(joint[:, :, p][..., places].sum(dim=-1))
    temporal = torch.stack(rows)
    if choice.slices == "renormalised":
        return [each / each.sum(dim=-1, keepdim=True) for each in (spatial, temporal)]
    return [spatial, temporal]


def assert_same_gradients(actual, expected, tokens):
    torch.manual_seed(1)
    weights = [torch.randn_like(each) for each in expected]
    for each, other in zip(actual, expected, strict=True):
        torch.testing.assert_close(each, other, rtol=0, atol=1e-12)
    slopes = [
        torch.autograd.grad(sum((a * w).sum() for a, w in zip(maps, weights, strict=True)), tokens)
        for maps in (actual, expected)
    ]
    for each, other in zip(*slopes, strict=True):
        assert other.abs().max() > 1e-3
        torch.testing.assert_close(each, other, rtol=0, atol=1e-9)


@pytest.mark.parametrize("mean", [False, True], ids=["paired", "mean"])
@pytest.mark.parametrize("side", [1, 3])
@pytest.mark.parametrize("form", ["renormalised", "joint"])
def test_slices_and_gradients_equal_those_of_the_whole_softmax(tokens, form, side, mean):
    choice = JointChoice(slices=form, neighbourhood=side)
    expected = explicit_maps(joint_map(*tokens), choice)
    if mean:
        expected = [each.mean(dim=1, keepdim=True) for each in expected]
    actual = joint_maps(*tokens, GRID, choice, mean_heads=mean)
    assert_same_gradients(actual, expected, tokens)


@pytest.mark.parametrize("radius", [1, 2])
def test_direct_relevance_equals_that_of_the_joint_map(tokens, radius):
    joint = joint_map(*tokens)
    expected = torch.zeros(GRID.frames, HEADS, GRID.positions, GRID.positions).double()
    for i, j in itertools.permutations(range(GRID.frames), 2):
        if abs(i - j) <= radius:
            expected[i] = expected[i] + joint[:, i, :, j] + joint[:, j, :, i].mT
    actual = joint_maps(*tokens, GRID, JointChoice(slices="direct", radius=radius))
    assert_same_gradients(actual, [expected], tokens)


def test_separated_heads_average_their_own_heads_only(tokens):
    split = HeadSplit(torch.tensor([0, 2]), torch.tensor([1]))
    whole = joint_maps(*tokens, GRID, JointChoice())
    parted = joint_maps(*tokens, GRID, JointChoice(separated=True), split=split)
    torch.testing.assert_close(parted.spatial, whole.spatial[:, [0, 2]].mean(1, keepdim=True))
    torch.testing.assert_close(parted.temporal, whole.temporal[:, [1]])


def test_the_gradient_equals_finite_differences(tokens):
    query, key = tokens

    def value(query, choice):
        maps = joint_maps(query, key, GRID, choice, mean_heads=True)
        return sum((each.square() * each.exp()).sum() for each in maps)

    direction = torch.randn(query.shape, dtype=query.dtype)
    for form in ("renormalised", "joint", "direct"):
        choice = JointChoice(slices=form, neighbourhood=3 if form == "joint" else 1)
        (gradient,) = torch.autograd.grad(value(query, choice), query)
        with torch.no_grad():
            ahead, behind = (value(query + e * direction, choice) for e in (1e-6, -1e-6))
        torch.testing.assert_close((gradient * direction).sum(), (ahead - behind) / 2e-6)


def test_half_precision_gives_maps_in_float32_close_to_exact_ones(tokens):
    half = [each.detach().bfloat16() for each in tokens]
    for form in ("renormalised", "joint"):
        rough = joint_maps(*half, GRID, JointChoice(slices=form))
        exact = joint_maps(*(each.double() for each in half), GRID, JointChoice(slices=form))
        for each, other in zip(rough, exact, strict=True):
            assert each.dtype == torch.float32
            torch.testing.assert_close(each.double(), other, rtol=0.05, atol=1e-3)


def test_heads_are_told_apart_by_what_they_attend_to():
    """Head 0 attends to its own frame, head 1 to its own place, head 2 to its own frame."""
    f, n = GRID.frames, GRID.positions
    frame = torch.eye(f).repeat_interleave(n, dim=0)
    place = torch.eye(n).repeat(f, 1)
    features = torch.zeros(HEADS, f * n, f + n, dtype=torch.float64)
    features[[0, 2], :, :f] = 5 * frame.double()
    features[1, :, f:] = 5 * place.double()
    own, same = head_masses(features, features, Grid(f, GRID.height, GRID.width))
    assert own[0] > 0.7 > 0.1 > same[0] and same[1] > 0.5 > 0.1 > own[1]
    split = split_heads(own, same)
    assert split.spatial.tolist() == [0, 2] and split.temporal.tolist() == [1]


@pytest.mark.parametrize("form", ["renormalised", "joint", "direct"])
def test_memory_grows_with_the_frames_and_not_with_the_square_of_all_tokens(monkeypatch, form):
    monkeypatch.setattr(slices, "ENTRIES", 1)
    peaks = []
    for frames in (4, 8, 16):
        tokens = torch.randn(2, frames * 64, 8, requires_grad=True)

        grid = Grid(frames, 8, 8)

        def forth_and_back(tokens=tokens, grid=grid):
            maps = joint_maps(tokens, tokens, grid, JointChoice(slices=form), mean_heads=True)
            sum(each.square().sum() for each in maps).backward()

        peaks.append(peak_bytes(forth_and_back))
    assert all(after < 2.2 * before for before, after in itertools.pairwise(peaks))
    assert peaks[-1] < 2 * (16 * 64) ** 2 * 4 / 4  # a quarter of the joint map of both heads
