import json

import numpy as np
import pytest
import torch
from PIL import Image

from pipelines.config.loading import resolve
from pipelines.vision_language.local import LocalVLM
from strmatch import WeightsError
from tests.pipelines.captioners.models import FAMILIES, qwen

FRAMES = [np.full((48, 64, 3), colour, np.uint8) for colour in ((200, 30, 30), (20, 30, 230))]
IMAGE_TOKENS = {
    "qwen": ("<|image_pad|>", 3 * 12),
    "idefics3": ("<image>", 3 * 4),
    "llava": ("<image>", 3 * 16),
    "video_llama_3": ("<|image_pad|>", 3 * 12),
}
"""What stands for the frames, and how often for three of them."""


def load(folder):
    return LocalVLM(resolve({"annotate": {"vlm": {"weights": str(folder)}}}))


@pytest.mark.parametrize("name", FAMILIES)
def test_the_model_receives_the_frames(name, tmp_path):
    local = load(FAMILIES[name](tmp_path))
    token, count = IMAGE_TOKENS[name]
    logits = []
    for frame in FRAMES:
        inputs = local.inputs([Image.fromarray(frame)] * 3, "A dog ?")
        token_id = local.processor.tokenizer.convert_tokens_to_ids(token)
        assert (inputs["input_ids"] == token_id).sum() == count
        with torch.no_grad():
            logits.append(local.model(**inputs).logits[0, -1])
    assert not torch.allclose(*logits, atol=1e-4)


def test_weights_of_another_model_are_refused(tmp_path):
    qwen(tmp_path)
    described = json.loads((tmp_path / "config.json").read_text())
    described["text_config"]["num_hidden_layers"] += 1
    (tmp_path / "config.json").write_text(json.dumps(described))
    layer = r"model.language_model.layers.2\S+ is missing"
    with pytest.raises(WeightsError, match=f"{layer}, {layer}, {layer}; 8 more"):
        load(tmp_path)


def test_pickles_and_code_are_not_loaded(tmp_path):
    qwen(tmp_path / "pickled")
    weights = tmp_path / "pickled/model.safetensors"
    weights.rename(weights.with_name("pytorch_model.bin"))
    with pytest.raises(WeightsError, match="safetensors"):
        load(tmp_path / "pickled")
    own = tmp_path / "own"
    own.mkdir()
    (own / "config.json").write_text(
        json.dumps({"model_type": "own", "auto_map": {"AutoConfig": "own.Own"}})
    )
    (own / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Own: pass\n")
    with pytest.raises(WeightsError, match="cannot load"):
        load(own)
    assert not (tmp_path / "ran").exists()
