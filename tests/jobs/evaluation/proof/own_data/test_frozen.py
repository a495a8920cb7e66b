import json

import numpy as np
import pytest
import torch
import transformers

from jobs.evaluation.proof.own_data.frozen import FrozenFeatures, train_linear
from pipelines.errors import InputError
from strmatch.backbones.folder import weights_folder
from strmatch.metrics.clip import load_clip

CLIP = np.random.default_rng(0).integers(0, 256, (9, 64, 64, 3), dtype=np.uint8)
TINY = {"hidden_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2}
NORMAL = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}


def save(model, folder, name="preprocessor_config.json"):
    model.save_pretrained(folder)
    (folder / name).write_text(json.dumps(NORMAL))
    return str(folder)


def test_features_of_the_embedded_clip_are_those_of_its_own_processor():
    folder = weights_folder("miniature") / "clip"
    features = FrozenFeatures(str(folder))(CLIP)
    shown = CLIP[np.linspace(0, 8, 8).round().astype(int)]
    wanted = load_clip(folder).frames(shown).mean(dim=0)
    assert torch.allclose(features, wanted.cpu(), atol=1e-4)


def test_image_models_and_video_encoders_load(tmp_path):
    vit = transformers.ViTConfig(image_size=32, patch_size=8, intermediate_size=32, **TINY)
    assert FrozenFeatures(save(transformers.ViTModel(vit), tmp_path / "vit"))(CLIP).shape == (24,)
    mae = transformers.VideoMAEConfig(
        image_size=32, patch_size=8, num_frames=4, intermediate_size=32, **TINY
    )
    model = transformers.VideoMAEModel(mae)
    features = FrozenFeatures(save(model, tmp_path / "mae"))
    assert features.frames == 4 and features(CLIP).shape == (24,)
    assert not torch.allclose(features(CLIP), features(CLIP[::-1]))
    jepa = transformers.VJEPA2Config(
        **(TINY | {"crop_size": 32, "patch_size": 8, "frames_per_clip": 4}),
        pred_hidden_size=24,
        pred_num_attention_heads=2,
        pred_num_hidden_layers=1,
    )
    saved = save(transformers.VJEPA2Model(jepa), tmp_path / "j", "video_preprocessor_config.json")
    assert FrozenFeatures(saved)(CLIP).shape == (24,)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(InputError, match="--features"):
        FrozenFeatures(str(tmp_path))


def test_the_linear_classifier_separates_what_can_be_separated_and_depends_on_its_seed_alone():
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(60) % 3
    features = torch.randn(60, 5, generator=generator)
    features[:, :3] += 6 * torch.eye(3)[labels]
    found = train_linear(features, labels, 3, 200, 1)(features)
    assert (found == labels).float().mean() > 0.95
    noise = torch.randn(200, 5, generator=generator)
    same = [train_linear(features, labels, 3, 5, seed)(noise) for seed in (1, 1, 2)]
    assert torch.equal(same[0], same[1]) and not torch.equal(same[0], same[2])
