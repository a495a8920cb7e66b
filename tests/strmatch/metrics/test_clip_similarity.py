from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import CLIPModel, CLIPTokenizer

import strmatch.miniature
from strmatch import WeightsError
from strmatch.metrics.base import Sample
from strmatch.metrics.clip_similarity import ClipSimilarity
from strmatch.miniature.scenes import caption, sample_scene, with_attributes
from strmatch.miniature.vocabulary import BACKGROUNDS, COLOURS, SHAPES
from strmatch.miniature.world import render

FOLDER = Path(strmatch.miniature.__path__[0]) / "weights/clip"


@pytest.fixture(scope="module")
def metric():
    return ClipSimilarity(FOLDER)


def similarity(metric, frames, prompt):
    return metric(Sample(np.zeros_like(frames), frames, None, "", prompt))


@pytest.mark.parametrize("seed", range(6))
def test_the_true_caption_is_more_similar_than_wrong_ones(metric, seed):
    scene = sample_scene(seed, "test")
    frames = render([scene]).frames[0].numpy()
    truth = similarity(metric, frames, caption(scene))
    subject = scene.sprites[0]
    wrong = [
        *({"colour": colour} for colour in COLOURS if colour != subject.colour),
        *({"shape": shape} for shape in SHAPES if shape != subject.shape),
        *({"background": name} for name in BACKGROUNDS if name != scene.background),
    ]
    for changes in wrong:
        assert truth > similarity(metric, frames, caption(with_attributes(scene, **changes)))


def test_the_value_is_a_hundred_times_the_mean_cosine_of_the_frames(metric):
    """The clip has more frames than one batch. The reference prepares its own inputs."""
    scenes = [sample_scene(seed, "test") for seed in range(2)]
    frames = render(scenes).frames.flatten(0, 1)[:20]
    prompt = caption(scenes[0])
    model = CLIPModel.from_pretrained(FOLDER, dtype=torch.float32).eval()
    ids = CLIPTokenizer.from_pretrained(FOLDER)(prompt, return_tensors="pt").input_ids
    with torch.no_grad():
        said = model.get_text_features(ids).pooler_output[0].double()
        pixels = frames.permute(0, 3, 1, 2) / 127.5 - 1
        shown = model.get_image_features(pixels).pooler_output.double()
    cosines = (shown @ said) / (shown.norm(dim=1) * said.norm())
    found = similarity(metric, frames.numpy(), prompt)
    assert found == pytest.approx(100 * float(cosines.mean()), abs=1e-3)


def test_frames_of_any_size_are_accepted(metric):
    scene = sample_scene(3, "test")
    small, large = (render([scene], size=size).frames[0].numpy() for size in (64, 160))
    wide = np.pad(large, ((0, 0), (0, 0), (20, 20), (0, 0)), mode="edge")
    prompt = caption(scene)
    assert similarity(metric, wide, prompt) == pytest.approx(
        similarity(metric, small, prompt), abs=5
    )


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(WeightsError, match="cannot load CLIPModel"):
        ClipSimilarity(tmp_path)
