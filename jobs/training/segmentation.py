"""The training of SAM2: a box on one frame prompts an object, which is tracked in the others."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import Sam2VideoInferenceSession, Sam2VideoModel

from jobs.training.batches import draw_scenes
from jobs.training.loop import Loss
from jobs.training.precision import fast
from jobs.training.recipe import CLIP_FRAMES, SegmenterPhase
from pipelines.trackers.streaming import MEAN, STD
from strmatch.miniature.scenes import sample_scene
from strmatch.miniature.world import render

FEW = 3
"""Frames that are rendered of a clip if a phase takes a single frame."""
COMPRESSION = 1.5
"""Standard deviation of stored frames from the output of `as_stored`, in levels of 255."""
HARDER = 0.5
JITTER = 2.0
"""Largest error of a side of a box, in pixels."""
LEAST_SEEN = 40
"""Smallest visible area of an object that is prompted, in pixels."""
CROSS_ENTROPY_WEIGHT = 5.0
LUMA = (0.2126, 0.7152, 0.0722)  # BT.709
NO_MASK = -20.0
"""Lower bound of mask logits. The model sets masks of absent objects to -1024, without gradient."""


def tracking_loss(model: Sam2VideoModel, phase: SegmenterPhase, clips: int, device: str) -> Loss:
    """Returns the loss: cross entropy and Dice of all masks, and cross entropy of visibility.

    The box is on a random frame of a stretch. The object is tracked forwards from there, then
    backwards, as in annotation. Every clip occurs twice, once for each of two objects: equal frames
    with different masks teach the model to use the box.
    """

    def loss(step: int, generator: torch.Generator) -> Tensor:
        frames, masks = draw_clips((clips + 1) // 2, phase, generator, device)
        prompted = int(torch.randint(phase.frames, (), generator=generator))
        truth = choose_things(masks, prompted, generator).flatten(0, 1)
        frames = frames.repeat_interleave(2, dim=0)
        boxes = jittered_boxes(truth[:, prompted], generator)
        with fast(device):
            logits, scores = follow(model, normalise(frames), boxes, prompted)
        return mask_loss(logits.float(), truth.float()) + F.binary_cross_entropy_with_logits(
            scores.float(), truth.any(dim=(2, 3)).float()
        )

    return loss


def draw_clips(
    clips: int, phase: SegmenterPhase, generator: torch.Generator, device: str
) -> tuple[Tensor, Tensor]:
    """Draws frames, float32 (b, f, 3, H, W) in 0–1, and objects' masks, bool (b, n, f, H, W)."""
    pairs = torch.rand(clips, generator=generator) < phase.two_sprites
    scenes = [
        sample_scene(generator, "train", "two_sprites")
        if pair
        else draw_scenes(1, generator, HARDER)[0]
        for pair in pairs
    ]
    count = CLIP_FRAMES if phase.frames > 1 else FEW
    rendered = render(scenes, num_frames=count, device=device)
    stride = int(torch.randint(1, phase.stride + 1, (), generator=generator))
    first = torch.randint(count - (phase.frames - 1) * stride, (clips, 1), generator=generator)
    rows, moments = torch.arange(clips)[:, None], first + torch.arange(phase.frames) * stride
    masks = rendered.masks.transpose(1, 2)[rows, moments].transpose(1, 2)
    frames = as_stored(rendered.frames[rows, moments].movedim(-1, -3) / 255)
    noise = torch.randn(frames.shape, generator=generator).to(device)
    return frames + COMPRESSION / 255 * noise, masks


def as_stored(frames: Tensor) -> Tensor:
    """Returns frames (…, 3, H, W) in 0–1 with 4:2:0 chroma subsampling, as in stored videos."""
    luma = (frames * frames.new_tensor(LUMA)[:, None, None]).sum(dim=-3, keepdim=True)
    chroma = F.avg_pool2d((frames - luma).flatten(0, -4), 2).repeat_interleave(2, -1)
    return (luma + chroma.repeat_interleave(2, -2).view_as(frames)).clamp(0, 1)


def normalise(frames: Tensor) -> Tensor:
    return (frames - MEAN.to(frames.device)) / STD.to(frames.device)


def choose_things(masks: Tensor, frame: int, generator: torch.Generator) -> Tensor:
    """Selects two objects that are visible on a frame: bool (b, 2, f, H, W).

    A single visible object is taken twice.

    Args:
        masks: the objects of each clip, bool (b, n, f, H, W).
    """
    seen = masks[:, :, frame].sum(dim=(2, 3)) >= LEAST_SEEN
    draws = torch.rand(seen.shape, generator=generator).to(masks.device)
    order = (draws * seen).argsort(dim=1, descending=True)
    first, last = order[:, 0], order[:, -1]
    rows = torch.arange(len(masks))
    second = torch.where(seen[rows, last], last, first)
    return masks[rows[:, None], torch.stack((first, second), dim=1)]


def jittered_boxes(masks: Tensor, generator: torch.Generator) -> Tensor:
    """Returns jittered boxes (x0, y0, x1, y1) in pixels, float32 (b, 4), of masks (b, H, W)."""
    edges = []
    for along in (masks.any(dim=1), masks.any(dim=2)):
        first = along.float().argmax(dim=1)
        last = along.shape[1] - along.flip(1).float().argmax(dim=1)
        edges += [first, last]
    x0, x1, y0, y1 = edges
    boxes = torch.stack((x0, y0, x1, y1), dim=1).float()
    off = JITTER * (2 * torch.rand(boxes.shape, generator=generator) - 1)
    return boxes + off.to(boxes.device)


def follow(
    model: Sam2VideoModel, frames: Tensor, boxes: Tensor, prompted: int
) -> tuple[Tensor, Tensor]:
    """Tracks one object a clip, with gradients: the steps of a session for a batch of clips.

    Args:
        frames: float32 (b, f, 3, H, W), normalised, of the model's size.
        boxes: float32 (b, 4), on frame `prompted`.

    Returns:
        Logits of the masks (b, f, H, W), and logits of the object's visibility (b, f).
    """
    clips, count, _, height, width = frames.shape
    seen = model.get_image_features(frames.flatten(0, 1), return_dict=True)
    levels = [level.unflatten(1, (clips, count)) for level in seen.fpn_hidden_states]
    places = [place.unflatten(1, (clips, count)) for place in seen.fpn_position_encoding]
    session = Sam2VideoInferenceSession(video=frames.transpose(0, 1), dtype=torch.float32)
    thing = session.obj_id_to_idx(0)
    corners = torch.tensor([[[2, 3]]], dtype=torch.int32, device=frames.device)
    prompt = {
        "point_coords": boxes.view(clips, 1, 2, 2),
        "point_labels": corners.expand(clips, 1, 2),
    }
    logits: list[Tensor] = [boxes] * count
    scores: list[Tensor] = [boxes] * count
    hook = model.memory_attention.register_forward_hook(_batch_first)
    for frame in (*range(prompted, count), *reversed(range(prompted))):
        features = [level[:, :, frame] for level in levels]
        session.cache.cache_vision_features(
            frame,
            {
                "vision_feats": features,
                "vision_pos_embeds": [place[:, :, frame] for place in places],
            },
        )
        shown = frame == prompted
        output = model._run_single_frame_inference(
            session,
            frame,
            thing,
            batch_size=1,  # of what is cached, which is a batch
            is_init_cond_frame=shown,
            point_inputs=prompt if shown else None,
            mask_inputs=None,
            reverse=frame < prompted,
        )
        score = output["object_score_logits"]
        output["maskmem_features"], output["maskmem_pos_enc"] = model._encode_new_memory(
            features[-1], output["high_res_masks"], score, is_mask_from_pts=shown
        )
        session.store_output(thing, frame, output_value=output, is_conditioning_frame=shown)
        logits[frame] = F.interpolate(
            output["pred_masks"].float(), (height, width), mode="bilinear"
        )[:, 0]
        scores[frame] = score.flatten()
    hook.remove()
    return torch.stack(logits, dim=1), torch.stack(scores, dim=1)


def _batch_first(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    """Reshapes (1, b, n, c) to (b, n, c), in the memory layout that the model's views expect."""
    return output.squeeze(0).transpose(1, 2).contiguous().transpose(1, 2)


def mask_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Returns the weighted cross entropy plus Dice loss (Milletari et al. 2016), (b, f, H, W)."""
    logits = logits.clamp(min=NO_MASK)
    share = logits.sigmoid()
    both = 2 * (share * truth).sum(dim=(2, 3)) + 1
    dice = 1 - both / (share.sum(dim=(2, 3)) + truth.sum(dim=(2, 3)) + 1)
    return CROSS_ENTROPY_WEIGHT * F.binary_cross_entropy_with_logits(logits, truth) + dice.mean()
