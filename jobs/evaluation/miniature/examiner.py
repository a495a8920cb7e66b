"""The work of one process of the suite: runs of the models on scenes, and their measures."""

import math
from collections.abc import Mapping
from dataclasses import replace
from itertools import permutations
from typing import Any, NamedTuple

import numpy as np
import torch
from transformers import CLIPModel

from jobs.evaluation.measures import background, centroid_error, iou, psnr
from jobs.evaluation.miniature.cases import EditCase, captions_to_tell_apart
from jobs.evaluation.models import clip_folder, preset_of
from strmatch import STRMatch, generate, load_backbone
from strmatch.inputs import to_unit_range, tokenize
from strmatch.miniature.judge import judge, score_edit
from strmatch.miniature.judge_several import judge_several
from strmatch.miniature.scenes import Scene, attributes, caption
from strmatch.miniature.splits import Attributes
from strmatch.miniature.world import Rendered, render

Changes = dict[str, Any]
"""Fields of the edit settings that differ from the preset's, and `masked`."""

METHODS: dict[str, Changes] = {
    "str_match": {},
    "str_match_masked": {"masked": True},
    "lambda_0": {"lam": 0.0},
    "concatenated_maps": {"objective": "concatenated_maps"},
}
"""The compared methods, by name."""

CAPTIONS = 100


class Clip(NamedTuple):
    """A measured clip with its truth, frames uint8 (f, H, W, 3) each."""

    name: str
    frames: np.ndarray
    truth: np.ndarray
    row: dict[str, Any]


class MiniatureExaminer:
    """Runs the models on cases and measures the results.

    Args:
        weights: a string for `load_backbone`.
        overrides: fields of the edit settings that differ from the preset's.
    """

    def __init__(self, weights: str, **overrides: Any) -> None:
        preset = preset_of(weights).edit
        self.backbone = load_backbone(weights, settings=preset)
        self.settings = replace(preset, **overrides)
        self.editor = STRMatch(self.backbone, self.settings)
        self.clip = CLIPModel.from_pretrained(
            clip_folder(weights), local_files_only=True, dtype=torch.float32
        ).eval()

    def generation(self, scenes: list[Scene], seed: int) -> list[Clip]:
        """Generates clips from the captions of scenes with one sprite."""
        clips = self._generate(scenes, seed)
        verdicts = judge(torch.from_numpy(clips)).verdicts
        rows = [
            {
                "prompt": caption(scene),
                "asked": attributes(scene)._asdict(),
                "seen": verdict._asdict(),
            }
            for scene, verdict in zip(scenes, verdicts, strict=True)
        ]
        return _beside_truth("generation", scenes, clips, rows, seed)

    def generation_of_two(self, scenes: list[Scene], seed: int) -> list[Clip]:
        """Generates clips from the captions of scenes with two sprites."""
        clips = self._generate(scenes, seed)
        seen = judge_several(torch.from_numpy(clips), sprites=2).verdicts
        rows = []
        for scene, verdicts in zip(scenes, seen, strict=True):
            asked = [attributes(scene, sprite) for sprite in range(2)]
            matched = in_order_of(asked, verdicts)
            rows.append(
                {
                    "prompt": caption(scene),
                    "asked": [one._asdict() for one in asked],
                    "seen": [one._asdict() for one in matched],
                }
            )
        return _beside_truth("generation_of_two", scenes, clips, rows, seed)

    def _generate(self, scenes: list[Scene], seed: int) -> np.ndarray:
        return generate(
            self.backbone,
            [caption(scene) for scene in scenes],
            num_inference_steps=self.settings.num_inference_steps,
            guidance_scale=self.settings.guidance_scale,
            seed=seed,
        )

    def round_trip(self, scene: Scene, index: int) -> list[Clip]:
        """Measures the autoencoder, inversion with denoising, and CLIP on the middle frame."""
        frames = render([scene]).frames[0].numpy()
        decoded = self.backbone.decode(self.backbone.encode(frames))
        inversion = self.editor.invert(frames, caption(scene))
        rebuilt = self.editor.edit(inversion, caption(scene), lam=0.0, guidance_scale=1.0).frames
        row = {
            "prompt": caption(scene),
            "psnr": psnr(rebuilt, frames),
            "vae_psnr": psnr(decoded, frames),
            "clip_top1": self._top1(frames[len(frames) // 2], scene, index),
        }
        return [Clip(f"reconstruction/{index:04d}", rebuilt, frames, row)]

    @torch.no_grad()
    def _top1(self, frame: np.ndarray, scene: Scene, seed: int) -> bool:
        """Returns whether, of `CAPTIONS` captions, the frame's own has the highest cosine."""
        captions = captions_to_tell_apart(scene, CAPTIONS, seed)
        said = self.clip.get_text_features(tokenize(self.backbone.tokenizer, captions, "cpu"))
        shown = self.clip.get_image_features(to_unit_range(torch.from_numpy(frame)[None]))
        cosines = torch.cosine_similarity(shown.pooler_output, said.pooler_output)
        return int(cosines.argmax()) == 0

    def edits(self, case: EditCase, index: int, methods: Mapping[str, Changes]) -> list[Clip]:
        """Edits the case by every method, with one inversion."""
        rendered = render([case.source, case.target], num_frames=case.num_frames)
        source, truth = rendered.frames.numpy()
        mask = rendered.masks[0, 0].numpy()
        latents = self.backbone.encode(source)
        decoded = self.backbone.decode(latents)
        size = (latents.shape[3], latents.shape[4])
        outside = background(mask, size, self.settings.mask_dilation)
        prompts = dict(zip(("source_prompt", "target_prompt"), case.prompts, strict=True))
        inversion = self.editor.invert(source, prompts["source_prompt"])
        clips = []
        for method, changes in methods.items():
            changes = dict(changes)
            masked = changes.pop("masked", False)
            edited = self.editor.edit(
                inversion, prompts["target_prompt"], mask=mask if masked else None, **changes
            ).frames
            row = prompts | against_truth(case, rendered, edited)
            row["background_psnr"] = psnr(edited, decoded, outside)
            clips.append(Clip(f"{method}/{index:04d}", edited, truth, row))
        return clips

    def watch(self, case: EditCase, changes: Changes) -> dict[str, float]:
        """Measures the latents in the course of an edit.

        Returns:
            relative_step: λ‖∇L‖/‖z_t‖, averaged over the timesteps. rms_ratio: the root mean
            square of z_t^tgt over that of z_t^src, where it is farthest from 1.
        """
        source = render([case.source]).frames[0].numpy()
        inversion = self.editor.invert(source, caption(case.source))
        steps, ratios = [], []

        def record(info: dict[str, Any]) -> None:
            level = inversion.schedule.num_steps - 1 - info["step"]
            ratio = info["latents"].norm() / inversion.latents[level].norm()
            ratios.append(float(ratio))
            steps.append(float(info["grad_norm"] / info["latents"].norm()))

        result = self.editor.edit(inversion, caption(case.target), callback=record, **changes)
        return {
            "relative_step": result.settings.lam * float(np.mean(steps)),
            "rms_ratio": max(ratios, key=lambda ratio: abs(math.log(ratio))),
        }


def _beside_truth(
    part: str, scenes: list[Scene], clips: np.ndarray, rows: list[dict[str, Any]], first: int
) -> list[Clip]:
    """Returns generated clips of a part of the suite, each with its rendered scene."""
    truths = render(scenes).frames.numpy()
    return [
        Clip(f"{part}/{first + index:04d}", frames, truth, row)
        for index, (frames, truth, row) in enumerate(zip(clips, truths, rows, strict=True))
    ]


def in_order_of(asked: list[Attributes], seen: list[Attributes]) -> list[Attributes]:
    """Returns the recognised sprites in the order in which most of their attributes are as asked.

    A generated clip has no true places, so that a sprite is recognised by what is right about it.
    """

    def right(order: list[Attributes]) -> int:
        pairs = zip(asked, order, strict=True)
        return sum(a == b for one, other in pairs for a, b in zip(one, other, strict=True))

    return max(map(list, permutations(seen)), key=right)


def against_truth(case: EditCase, rendered: Rendered, edited: np.ndarray) -> dict[str, Any]:
    """Compares an edit with its counterfactual.

    Args:
        case: the edit.
        rendered: the source and the target of the case.
        edited: uint8 (f, H, W, 3).

    Returns:
        The judged attributes, the requested ones that are met, the kept ones, and distances.
    """
    seen = judge(torch.from_numpy(edited)[None])
    score = score_edit(seen.verdicts[0], case.source, case.target)
    return {
        "seen": seen.verdicts[0]._asdict(),
        "asked_colour": score.asked.get("colour"),
        "asked_shape": score.asked.get("shape"),
        "kept": [score.kept[name] for name in ("colour", "shape") if name in score.kept],
        "centroid_px": centroid_error(seen.tracks[0], rendered.tracks[1, 0]),
        "counterfactual_iou": iou(seen.masks[0], rendered.masks[1, 0]),
        "counterfactual_psnr": psnr(edited, rendered.frames[1].numpy()),
    }
