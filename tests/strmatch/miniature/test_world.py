import hashlib

import pytest
import torch
import torch.nn.functional as F

from strmatch.miniature.scenes import HARDER_KINDS, Scene, Sprite, sample_scene, with_attributes
from strmatch.miniature.vocabulary import BACKGROUNDS, COLOURS
from strmatch.miniature.world import render

SQUARE = Sprite("square", "red", "right", 20.0, (20.0, 30.0), 30.0)


def scenes(count: int = 4) -> list[Scene]:
    generator = torch.Generator().manual_seed(0)
    core = [sample_scene(generator) for _ in range(count)]
    return core + [sample_scene(generator, kinds=kind) for kind in HARDER_KINDS]


def test_rendered_tensors_have_the_documented_shapes_and_types():
    rendered = render(scenes(), num_frames=5)
    assert rendered.frames.shape == (8, 5, 64, 64, 3)
    assert rendered.frames.dtype == torch.uint8
    assert rendered.masks.shape == (8, 2, 5, 64, 64)
    assert rendered.masks.dtype == torch.bool
    assert rendered.flow.shape == (8, 4, 64, 64, 2)
    assert rendered.flow.dtype == rendered.tracks.dtype == torch.float32
    assert rendered.tracks.shape == (8, 2, 5, 2)
    assert rendered.tracks[0, 1].isnan().all()
    assert not rendered.masks[0, 1].any()


def test_rendered_pixels_are_pinned():
    """Weights are trained on this world, so any change requires new training."""
    digest = hashlib.sha256(render(scenes(), num_frames=4).frames.numpy().tobytes()).hexdigest()
    assert digest[:16] == "c944db5a57cae989"


def test_a_scene_looks_the_same_in_any_batch():
    batch = scenes()
    together = render(batch)
    for index, scene in enumerate(batch):
        alone = render([scene])
        objects = len(scene.sprites)
        assert torch.equal(alone.frames[0], together.frames[index])
        assert torch.equal(alone.masks[0], together.masks[index, :objects])
        assert torch.equal(alone.flow[0], together.flow[index])
        assert torch.equal(alone.tracks[0], together.tracks[index, :objects])


def test_a_square_is_drawn_at_its_position():
    rendered = render([Scene((SQUARE,), "bricks")])
    for frame in range(16):
        centre = 20.0 + 2 * frame
        assert rendered.tracks[0, 0, frame].tolist() == [centre, 30.0]
        rows, columns = rendered.masks[0, 0, frame].nonzero().unbind(1)
        # The square extends 10 pixels from a pixel centre, so the outer pixels are half covered.
        assert (columns.min(), columns.max()) == (centre - 10, centre + 10)
        assert (rows.min(), rows.max()) == (20, 40)
        inner = rendered.frames[0, frame, 21:40, int(centre) - 9 : int(centre) + 10]
        assert (inner == torch.tensor(COLOURS["red"])).all()


def test_edge_pixels_are_mixed_in_proportion_to_coverage():
    """The square extends from x = 10.25 to 30.25 and covers three quarters of pixel 30."""
    sprite = Sprite("square", "red", "still", 20.0, (20.25, 30.0), 0.0)
    edge, plate = (
        render([Scene(sprites, "checks")], num_frames=1).frames[0, 0, 30, 30].float()
        for sprites in ((sprite,), ())
    )
    expected = 0.75 * torch.tensor(COLOURS["red"]) + 0.25 * plate
    assert (edge - expected).abs().max() <= 1


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_backgrounds_consist_of_their_two_colours_and_mixtures(background):
    pixels = render([Scene((SQUARE,), background)], num_frames=1).frames[0, 0, :16].double()
    figure, ground = torch.tensor(BACKGROUNDS[background], dtype=torch.float64)
    share = ((pixels - ground) @ (figure - ground)) / (figure - ground).square().sum()
    assert (pixels - ground - share[..., None] * (figure - ground)).abs().max() < 1.5
    assert share.min() > -0.03 and share.max() < 1.03
    assert (share > 0.97).any() and (share < 0.1).any()


def test_phase_and_drift_move_the_background():
    still = Scene((), "bricks")
    shifted = render([Scene((), "bricks", phase=(8, 4))], num_frames=2).frames
    assert torch.equal(shifted, render([still], num_frames=2).frames.roll((4, 8), dims=(2, 3)))
    drifting = render([Scene((), "bricks", drift=(3.0, 0.0))], num_frames=2)
    plain = render([still], num_frames=2).frames
    assert torch.equal(drifting.frames[:, 0], plain[:, 0])
    assert torch.equal(drifting.frames[:, 1], plain[:, 1].roll(3, dims=2))
    assert (drifting.flow == torch.tensor([3.0, 0.0])).all()


def test_the_front_sprite_hides_the_one_behind():
    back = Sprite("square", "red", "still", 24.0, (30.0, 30.0), 0.0)
    front = Sprite("circle", "blue", "still", 18.0, (36.0, 30.0), 0.0)
    both = render([Scene((back, front), "dots")])
    alone = [render([Scene((sprite,), "dots")]).masks[0, 0] for sprite in (back, front)]
    assert torch.equal(both.masks[0, 1], alone[1])
    assert torch.equal(both.masks[0, 0], alone[0] & ~alone[1])
    assert both.tracks[0, 0, 0].tolist() == [30.0, 30.0]
    assert (both.frames[0, 0, 30, 36] == torch.tensor(COLOURS["blue"])).all()


@pytest.mark.parametrize("seed", range(12))
def test_sprites_are_fully_inside_every_frame(seed):
    scene = sample_scene(seed, kinds="core" if seed % 2 else "harder_motion")
    (mask,) = render([scene]).masks[0]
    assert mask.flatten(1).any(dim=1).all()
    for edge in (mask[:, 0], mask[:, -1], mask[:, :, 0], mask[:, :, -1]):
        assert not edge.any()


@pytest.mark.parametrize("kinds", ["core", *HARDER_KINDS])
def test_flow_maps_every_frame_to_the_next(kinds):
    """The next frame warped back along the flow has the same colours on the same surface."""
    generator = torch.Generator().manual_seed(4)
    batch = [sample_scene(generator, kinds=kinds) for _ in range(6)]
    rendered = render(batch)
    frames = rendered.frames.permute(0, 1, 4, 2, 3).float() / 255
    following, present = frames[:, 1:].flatten(0, 1), frames[:, :-1].flatten(0, 1)
    flow = rendered.flow.flatten(0, 1)
    axis = torch.arange(64.0)
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1) + flow
    grid = (2 * grid + 1) / 64 - 1
    pulled = F.grid_sample(following, grid, align_corners=False, padding_mode="border")
    error = (pulled - present).abs().amax(dim=1)
    error = error.masked_fill((grid.abs() > 1).any(dim=-1), 0.0)
    still = (following - present).abs().amax(dim=1)
    # Pixels uncovered or hidden between two frames have no counterpart. Edges are interpolated.
    assert (error > 0.25).float().mean() < 0.03
    if any(sprite.motion != "still" for scene in batch for sprite in scene.sprites):
        assert (error > 0.25).float().mean() < (still > 0.25).float().mean()


@pytest.mark.parametrize("seed", range(4))
def test_flow_inside_a_sprite_equals_the_motion_of_its_points(seed):
    scene = sample_scene(seed, kinds="harder_motion" if seed % 2 else "core")
    rendered = render([scene])
    (sprite,) = scene.sprites
    for frame in range(15):
        x0, y0, size0 = sprite.pose(frame / 15)
        x1, y1, size1 = sprite.pose((frame + 1) / 15)
        rows, columns = rendered.masks[0, 0, frame].nonzero().unbind(1)
        expected_x = x1 + (columns - x0) * size1 / size0 - columns
        expected_y = y1 + (rows - y0) * size1 / size0 - rows
        found = rendered.flow[0, frame, rows, columns]
        assert torch.allclose(found, torch.stack([expected_x, expected_y], 1).float(), atol=1e-4)
    assert (rendered.flow[0][~rendered.masks[0, 0, :-1]] == 0).all()


def test_tracks_are_the_centroids_of_the_masks():
    batch = scenes()[:4]
    rendered = render(batch)
    axis = torch.arange(64.0)
    masks = rendered.masks[:, 0].float()
    area = masks.sum(dim=(2, 3))
    x, y = (masks.sum(2) * axis).sum(-1) / area, (masks.sum(3) * axis).sum(-1) / area
    assert torch.allclose(torch.stack([x, y], -1), rendered.tracks[:, 0], atol=0.35)


def test_the_counterfactual_differs_only_where_the_sprites_are():
    scene = sample_scene(5)
    edited = with_attributes(scene, shape="star", colour="blue")
    before, after = render([scene]), render([edited])
    changed = (before.frames != after.frames).any(dim=-1)
    either = (before.masks | after.masks)[:, 0].float().flatten(0, 1)
    near = F.max_pool2d(either[:, None], 3, stride=1, padding=1)[:, 0] > 0
    assert not changed.flatten(0, 1)[~near].any()
    assert torch.equal(before.tracks, after.tracks)


def test_the_scene_is_the_same_at_other_frame_sizes():
    scene = sample_scene(6)
    small, large = render([scene], size=32), render([scene], size=128)
    assert large.flow.amax() == pytest.approx(4 * float(small.flow.amax()))
    halved = F.avg_pool2d(large.frames[0].permute(0, 3, 1, 2).float(), 4)
    assert (halved - small.frames[0].permute(0, 3, 1, 2)).abs().mean() < 3
    assert torch.allclose((large.tracks + 0.5) / 4, small.tracks + 0.5)


def test_fewer_frames_cover_the_same_path():
    scene = Scene((SQUARE,), "bricks")
    assert render([scene], num_frames=4).tracks[0, 0, :, 0].tolist() == [20.0, 30.0, 40.0, 50.0]
    assert render([scene], num_frames=1).flow.shape == (1, 0, 64, 64, 2)
