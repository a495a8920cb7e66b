"""Runs the phases of a recipe in order and writes the model folder."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import torch
from diffusers import AutoencoderKL, ModelMixin
from torch import nn
from transformers import CLIPImageProcessorPil, CLIPModel, CLIPTextModel, CLIPTokenizer

from jobs.training.autoencoder import reconstruction_loss, standardise
from jobs.training.bank import fill_bank
from jobs.training.contrastive import contrastive_loss
from jobs.training.diffusion import denoising_loss, silence_residuals
from jobs.training.flow import flow_loss
from jobs.training.loop import Loss, fit
from jobs.training.origin import note_origin
from jobs.training.recipe import DiffusionPhase, Phase, Recipe, SegmenterPhase
from jobs.training.segmentation import tracking_loss
from jobs.training.workers import Worker
from strmatch.backbones.lavie import LaVieUNet
from strmatch.miniature.joint import make_flow_scheduler, make_transformer
from strmatch.miniature.model import make_clip, make_scheduler, make_segmenter, make_unet, make_vae
from strmatch.miniature.tokenizer import make_tokenizer

START = "start"
"""Folder, below the training's, of the start model of a recipe without an autoencoder phase."""
JOINT = "joint"
"""Prefix of the names of the phases of the transformer with joint attention."""
SEGMENTER = "segmenter"
"""Folder of SAM2 below the weights, and prefix of the names of its phases."""


def train(worker: Worker, recipe: Recipe, folder: Path, report: Callable[[str], None]) -> None:
    """Train the embedded models, or resume from the checkpoints in `folder`.

    Writes `folder`/weights, in diffusers' layout and half precision.
    """
    assert recipe.image_tower
    device, seed = worker.device, recipe.seed
    run = _runner(worker, folder, seed, report)
    torch.manual_seed(seed)
    scheduler = make_scheduler(recipe.prediction_type)
    tokenizer, vae, clip, unet = _fresh() if recipe.autoencoder else _loaded(folder / START)
    vae.to(device, memory_format=torch.channels_last)
    clip.to(device)
    unet.to(device, memory_format=torch.channels_last)

    def reconstruct(frames: int) -> Loss:
        return reconstruction_loss(vae, frames, device)

    if recipe.autoencoder:
        run("autoencoder", vae, recipe.autoencoder, reconstruct)
        standardise(vae, seed, device)
    vae.requires_grad_(False)

    text_tower = clip.text_model
    denoiser = nn.ModuleDict({"unet": unet, "text_tower": text_tower})
    for index, phase in enumerate(recipe.diffusion):
        name = f"diffusion-{index}-{phase.frames}f"

        def denoise(clips: int, phase: DiffusionPhase = phase, name: str = name) -> Loss:
            report(f"{name}: rendering and encoding {phase.clips} clips")
            bank = fill_bank(vae, phase, worker, seed, name)
            return denoising_loss(
                unet, text_tower, tokenizer, scheduler, bank, phase, clips, device
            )

        run(name, denoiser, phase, denoise)

    if recipe.decoder:
        # No other part depends on the decoder. Training the decoder alone improves frames more
        # than training the whole autoencoder.
        vae.decoder.requires_grad_(True)
        vae.post_quant_conv.requires_grad_(True)
        run("decoder", vae, recipe.decoder, reconstruct)

    def contrast(frames: int) -> Loss:
        return contrastive_loss(clip, tokenizer, frames, device)

    text_tower.requires_grad_(False)
    # Trained again when phases are added, to fit the text tower of the last phase.
    run(f"image-tower-{len(recipe.diffusion)}", clip, recipe.image_tower, contrast)

    if worker.leads:
        weights = folder / "weights"
        _save(vae, weights / "vae")
        _save(unet, weights / "unet")
        scheduler.save_pretrained(weights / "scheduler")
        save_clip(clip.half(), tokenizer, weights)


def train_joint(
    worker: Worker, recipe: Recipe, folder: Path, report: Callable[[str], None]
) -> None:
    """Train the transformer with joint attention, or resume from the checkpoints in `folder`.

    The autoencoder is the start model's. The text tower starts from that of the start model, and is
    trained along. Writes `folder`/weights, in diffusers' layout and half precision.
    """
    device, seed, start = worker.device, recipe.seed, folder / START
    run = _runner(worker, folder, seed, report)
    torch.manual_seed(seed)
    vae, text_tower, tokenizer = _conditioning(start)
    transformer, scheduler = make_transformer().to(device), make_flow_scheduler()
    vae.to(device, memory_format=torch.channels_last).requires_grad_(False)
    denoiser = nn.ModuleDict({"transformer": transformer, "text_tower": text_tower.to(device)})
    for index, phase in enumerate(recipe.joint):
        name = f"{JOINT}-{index}-{phase.frames}f"

        def flow(clips: int, phase: DiffusionPhase = phase, name: str = name) -> Loss:
            report(f"{name}: rendering and encoding {phase.clips} clips")
            bank = fill_bank(vae, phase, worker, seed, name)
            return flow_loss(transformer, text_tower, tokenizer, bank, phase, clips, device)

        run(name, denoiser, phase, flow)
    if worker.leads:
        weights = folder / "weights"
        _save(transformer, weights / "transformer")
        text_tower.half().save_pretrained(weights / "text_encoder")
        scheduler.save_pretrained(weights / "scheduler")
        for part in ("tokenizer", "vae"):
            shutil.copytree(start / part, weights / part, dirs_exist_ok=True)


def train_segmenter(
    worker: Worker, recipe: Recipe, folder: Path, report: Callable[[str], None]
) -> None:
    """Train SAM2, or resume from the checkpoints in `folder`. It shares nothing with other parts.

    Writes `folder`/weights/segmenter, in transformers' layout and half precision.
    """
    run = _runner(worker, folder, recipe.seed, report)
    torch.manual_seed(recipe.seed)
    model = make_segmenter().to(worker.device)
    for index, phase in enumerate(recipe.segmenter):

        def track(clips: int, phase: SegmenterPhase = phase) -> Loss:
            return tracking_loss(model, phase, clips, worker.device)

        run(f"{SEGMENTER}-{index}-{phase.frames}f", model, phase, track)
    if worker.leads:
        model.half().save_pretrained(folder / "weights" / SEGMENTER)


def _runner(
    worker: Worker, folder: Path, seed: int, report: Callable[[str], None]
) -> Callable[[str, nn.Module, Phase, Callable[[int], Loss]], None]:
    """Returns a function that trains a model for a phase on this worker's share of the batch."""

    def run(name: str, model: nn.Module, phase: Phase, make_loss: Callable[[int], Loss]) -> None:
        if worker.leads:
            note_origin(folder / name)
        share = max(1, phase.batch // worker.count)
        fit(name, model, lambda: make_loss(share), phase, worker, folder / name, seed, report)

    return run


def _fresh() -> tuple[CLIPTokenizer, AutoencoderKL, CLIPModel, LaVieUNet]:
    tokenizer = make_tokenizer()
    vae, clip, unet = make_vae(), make_clip(tokenizer), make_unet()
    silence_residuals(unet)
    return tokenizer, vae, clip, unet


def _loaded(folder: Path) -> tuple[CLIPTokenizer, AutoencoderKL, CLIPModel, LaVieUNet]:
    precise = {"torch_dtype": torch.float32, "local_files_only": True}
    return (
        CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True),
        AutoencoderKL.from_pretrained(folder / "vae", **precise),
        CLIPModel.from_pretrained(folder / "clip", dtype=torch.float32, local_files_only=True),
        LaVieUNet.from_pretrained(folder / "unet", **precise),
    )


def _conditioning(folder: Path) -> tuple[AutoencoderKL, CLIPTextModel, CLIPTokenizer]:
    local = {"local_files_only": True}
    return (
        AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=torch.float32, **local),
        CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float32, **local),
        CLIPTokenizer.from_pretrained(folder / "tokenizer", **local),
    )


def _save(model: ModelMixin, folder: Path) -> None:
    """Save in half precision, without the path that the model was loaded from."""
    model.half().save_pretrained(folder)
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config.pop("_name_or_path", None)
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def save_clip(clip: CLIPModel, tokenizer: CLIPTokenizer, weights: Path) -> None:
    """Save both towers to clip/, and the text tower to text_encoder/ for the diffusion model."""
    tokenizer.backend_tokenizer.no_padding()  # both are saved as last used
    tokenizer.backend_tokenizer.no_truncation()
    clip.save_pretrained(weights / "clip")
    tokenizer.save_pretrained(weights / "clip")
    CLIPImageProcessorPil(
        size={"shortest_edge": 64}, crop_size=64, image_mean=[0.5] * 3, image_std=[0.5] * 3
    ).save_pretrained(weights / "clip")
    text_encoder = CLIPTextModel(clip.config.text_config)
    text_encoder.load_state_dict(clip.text_model.state_dict())
    text_encoder.half().save_pretrained(weights / "text_encoder")
    tokenizer.save_pretrained(weights / "tokenizer")
