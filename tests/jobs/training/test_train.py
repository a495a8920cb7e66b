import json
import shutil

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, WanTransformer3DModel
from transformers import CLIPModel, CLIPTextModel, CLIPTokenizer

from jobs.training import loop
from jobs.training.origin import read_origin
from jobs.training.recipe import Recipe
from jobs.training.train import SEGMENTER, START, train, train_joint, train_segmenter
from jobs.training.workers import Worker
from pipelines.trackers.segmenter import Box
from pipelines.trackers.segmenter_transformers import HFSegmenter
from strmatch import generate, load_backbone
from strmatch.inputs import tokenize
from strmatch.miniature.scenes import caption, sample_scene
from strmatch.miniature.world import render
from strmatch.weights.source import Source

pytestmark = pytest.mark.slow
STEP = {"steps": 2, "batch": 4, "learning_rate": 1e-4, "final_learning_rate": 1e-5, "warmup": 0}
RECIPE = Recipe.model_validate(
    {
        "autoencoder": STEP,
        "decoder": STEP,
        "diffusion": [STEP | {"frames": 2, "clips": 4, "images": 0.5, "harder": 0.5}],
        "image_tower": STEP,
    }
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("training")
    train(Worker(), RECIPE, folder, lambda line: None)
    return folder


def test_the_weights_are_a_backbone_that_encodes_to_standard_latents(folder):
    backbone = load_backbone(folder / "weights")
    frames = render([sample_scene(seed) for seed in range(8)], num_frames=4).frames
    latents = torch.cat([backbone.encode(clip.numpy()) for clip in frames])
    assert latents.mean(dim=(0, 2, 3, 4)).abs().max() < 0.5
    assert (latents.std(dim=(0, 2, 3, 4)) - 1).abs().max() < 0.3
    assert backbone.scheduler.config.prediction_type == "v_prediction"


def test_weights_are_small_and_in_half_precision(folder):
    files = list((folder / "weights").rglob("*.safetensors"))
    assert {file.parent.name for file in files} == {"unet", "vae", "text_encoder", "clip"}
    assert sum(file.stat().st_size for file in files) < 25e6
    for file in files:
        header = file.read_bytes()[8:][: int.from_bytes(file.read_bytes()[:8], "little")]
        kinds = {entry["dtype"] for name, entry in json.loads(header).items() if "dtype" in entry}
        assert kinds <= {"F16", "I64"}


def test_the_unet_receives_the_embeddings_of_clips_text_tower(folder):
    backbone = load_backbone(folder / "weights")
    clip = CLIPModel.from_pretrained(folder / "weights" / "clip", dtype=torch.float32)
    prompt = caption(sample_scene(3))
    tokens = backbone.tokenizer(prompt, padding="max_length", max_length=32, return_tensors="pt")
    with torch.no_grad():
        torch.testing.assert_close(
            backbone.embed(prompt), clip.text_model(tokens.input_ids).last_hidden_state
        )


def test_a_repeated_training_changes_no_completed_weights(folder):
    before = {path: path.read_bytes() for path in folder.rglob("*.safetensors")}
    train(Worker(), RECIPE, folder, lambda line: None)
    assert {path: path.read_bytes() for path in folder.rglob("*.safetensors")} == before


def test_sam2_trains_separately_and_resumes_to_the_same_bytes(tmp_path):
    phases = [STEP | {"frames": 1}, STEP | {"frames": 2, "stride": 3, "optimizer": "muon"}]
    recipe = Recipe.model_validate({"segmenter": phases})
    train_segmenter(Worker(), recipe, tmp_path / "whole", lambda line: None)
    begun = recipe.model_copy(update={"segmenter": recipe.segmenter[:1]})
    for part in (begun, recipe):
        train_segmenter(Worker(), part, tmp_path / "parts", lambda line: None)
    whole, parts = (
        tmp_path / name / "weights" / SEGMENTER / "model.safetensors" for name in ("whole", "parts")
    )
    assert whole.read_bytes() == parts.read_bytes()
    assert whole.stat().st_size < 8e6
    mask = HFSegmenter.load(Source(str(whole.parent))).track(
        np.zeros((2, 64, 64, 3), np.uint8), Box(10, 10, 30, 30), 0
    )
    assert mask.shape == (2, 64, 64)


def test_joint_attention_trains_on_a_start_model_and_resumes_to_the_same_bytes(
    folder, tmp_path, monkeypatch
):
    monkeypatch.setattr("strmatch.miniature.joint.BLOCKS", 1)
    phases = [STEP | {"frames": 1, "clips": 4}, STEP | {"frames": 3, "clips": 4, "shown": 0.5}]
    recipe = Recipe.model_validate({"joint": [step | {"optimizer": "muon"} for step in phases]})
    begun = recipe.model_copy(update={"joint": recipe.joint[:1]})
    for name, parts in {"whole": (recipe,), "parts": (begun, recipe)}.items():
        shutil.copytree(folder / "weights", tmp_path / name / START)
        for part in parts:
            train_joint(Worker(), part, tmp_path / name, lambda line: None)
    whole, parts = (tmp_path / name / "weights" for name in ("whole", "parts"))
    files = sorted(path.relative_to(whole) for path in whole.rglob("*.*"))
    assert {file.parts[0] for file in files} == {
        *("transformer", "vae", "text_encoder", "tokenizer", "scheduler")
    }
    for file in files:
        assert (whole / file).read_bytes() == (parts / file).read_bytes()
    vae = "vae/diffusion_pytorch_model.safetensors"
    assert (whole / vae).read_bytes() == (folder / "weights" / vae).read_bytes()

    local = {"local_files_only": True}
    transformer = WanTransformer3DModel.from_pretrained(whole / "transformer", **local)
    scheduler = FlowMatchEulerDiscreteScheduler.from_pretrained(whole / "scheduler", **local)
    tokenizer = CLIPTokenizer.from_pretrained(whole / "tokenizer", **local)
    tower = CLIPTextModel.from_pretrained(whole / "text_encoder", dtype=torch.float32, **local)
    scheduler.set_timesteps(2)
    latents = torch.randn(1, 4, 3, 16, 16)
    with torch.no_grad():
        text = tower(tokenize(tokenizer, ["a red circle"])).last_hidden_state
        for label in scheduler.timesteps:
            velocity = transformer(latents, label[None], text).sample
            latents = scheduler.step(velocity, label, latents).prev_sample
    assert latents.isfinite().all()
    clips = generate(load_backbone(whole), ["a red circle"], num_frames=3, num_inference_steps=2)
    assert clips.shape == (1, 3, 64, 64, 3)


def test_a_few_steps_improve_the_losses(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "REPORT_EVERY", 15)
    few = {"steps": 30, "batch": 8, "learning_rate": 2e-3, "final_learning_rate": 1e-3}
    few |= {"warmup": 10, "optimizer": "muon"}
    recipe = {
        "autoencoder": few,
        "diffusion": [few | {"frames": 1, "clips": 64}],
        "image_tower": STEP,
    }
    train(Worker(), Recipe.model_validate(recipe), tmp_path, lambda line: None)
    for phase in ("autoencoder", "diffusion-0-1f"):
        lines = (tmp_path / phase / "loss.jsonl").read_text().splitlines()
        first, last = (json.loads(line)["loss"] for line in lines)
        assert last < 0.8 * first, (phase, last, first)


def test_every_phase_notes_what_it_was_trained_with(folder):
    for phase in ("autoencoder", "diffusion-0-2f", "decoder", "image-tower-1"):
        origin = read_origin(folder / phase)
        assert origin["torch"] == torch.__version__ and origin["commit"] and origin["machine"]


def test_phases_can_be_added_to_a_completed_training(folder, tmp_path):
    more = RECIPE.model_copy(update={"diffusion": RECIPE.diffusion * 2})
    curves = {path: path.read_text() for path in folder.rglob("loss.jsonl")}
    train(Worker(), more, folder, lambda line: None)
    assert (folder / "diffusion-1-2f" / "loss.jsonl").exists()
    assert all(path.read_text() == text for path, text in curves.items())


def test_frames_come_back_in_their_size(folder):
    backbone = load_backbone(folder / "weights")
    frames = np.zeros((3, 64, 64, 3), np.uint8)
    assert backbone.decode(backbone.encode(frames)).shape == frames.shape


def test_training_starts_from_a_model(folder, tmp_path):
    shutil.copytree(folder / "weights", tmp_path / START)
    barely = RECIPE.diffusion[0].model_copy(update={"learning_rate": 1e-6})
    more = RECIPE.model_copy(update={"autoencoder": None, "diffusion": (barely,)})
    train(Worker(), more, tmp_path, lambda line: None)

    def parts(of):
        backbone = load_backbone(of)
        return backbone.unet, backbone.text_encoder, backbone.vae.encoder, backbone.vae.quant_conv

    written, start = tmp_path / "weights", folder / "weights"
    assert not any(str(tmp_path) in path.read_text() for path in written.rglob("config.json"))
    for part in ("tokenizer", "clip"):
        ours, theirs = (each / part / "tokenizer.json" for each in (written, start))
        assert ours.read_text() == theirs.read_text()
        assert json.loads(ours.read_text())["truncation"] is None
    for ours, theirs in zip(parts(written), parts(start), strict=True):
        for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-3)
