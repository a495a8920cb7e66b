import json

import numpy as np
import pytest
import torch
from PIL import Image

from pipelines.captioners.transformers_vlm import TransformersVLM
from pipelines.config.loading import resolve
from pipelines.errors import Rejected
from strmatch import WeightsError
from tests.pipelines.captioners.models import FAMILIES, SENTENCES, qwen, teach

CLIPS = [np.full((8, 48, 64, 3), colour, np.uint8) for colour in ((200, 30, 30), (20, 30, 230))]
IMAGE_TOKENS = {
    "qwen": ("<|image_pad|>", 3 * 12),
    "idefics3": ("<image>", 3 * 4),
    "llava": ("<image>", 3 * 16),
    "video_llama_3": ("<|image_pad|>", 3 * 12),
}
"""What stands for the frames, and how often for three of them."""


@pytest.fixture(scope="module", params=FAMILIES)
def family(request, tmp_path_factory):
    """A family's name and the folder of its tiny model, with random weights."""
    return request.param, FAMILIES[request.param](tmp_path_factory.mktemp(request.param))


def config(folder, **captions):
    values = {"frames": 3, "max_new_tokens": 10} | captions
    return resolve({"annotate": {"vlm": {"weights": str(folder)}, "captions": values}})


def test_the_model_receives_the_frames(family):
    name, folder = family
    captioner = TransformersVLM(config(folder))
    token, count = IMAGE_TOKENS[name]
    logits = []
    for clip in CLIPS:
        images = [Image.fromarray(frame) for frame in clip[:3]]
        inputs = captioner.inputs(images, "A dog ?")
        token_id = captioner.processor.tokenizer.convert_tokens_to_ids(token)
        assert (inputs["input_ids"] == token_id).sum() == count
        with torch.no_grad():
            logits.append(captioner.model(**inputs).logits[0, -1])
    assert not torch.allclose(*logits, atol=1e-4)


def test_a_nonsense_answer_is_rejected_after_a_second_attempt(family, monkeypatch):
    _, folder = family
    captioner = TransformersVLM(config(folder))
    answers = []
    generate = captioner.model.generate

    def listening(**inputs):
        answers.append(generate(**inputs))
        return answers[-1]

    monkeypatch.setattr(captioner.model, "generate", listening)
    with pytest.raises(Rejected, match="BadCaption"):
        captioner(CLIPS[0])
    assert len(answers) == 2
    with pytest.raises(Rejected):
        captioner(CLIPS[0])
    assert torch.equal(answers[0], answers[2])  # greedy decoding: equal frames give equal answers


def test_a_trained_model_captions_each_clip_correctly(family, tmp_path):
    _, folder = family
    captioner = TransformersVLM(config(folder))
    captioner.processor.tokenizer.save_pretrained(tmp_path)
    for file in folder.glob("*processor_config.json"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    loss = teach(captioner, CLIPS, tmp_path)
    assert loss < 0.2
    taught = TransformersVLM(config(tmp_path))
    assert [taught(clip) for clip in CLIPS] == list(SENTENCES)
    with pytest.raises(Rejected, match="does not end with a full stop"):  # the answer is cut off
        TransformersVLM(config(tmp_path, max_new_tokens=4))(CLIPS[0])


def test_weights_of_another_model_are_refused(tmp_path):
    qwen(tmp_path)
    described = json.loads((tmp_path / "config.json").read_text())
    described["text_config"]["num_hidden_layers"] += 1
    (tmp_path / "config.json").write_text(json.dumps(described))
    layer = r"model.language_model.layers.2\S+ is missing"
    with pytest.raises(WeightsError, match=f"{layer}, {layer}, {layer}; 8 more"):
        TransformersVLM(config(tmp_path))


def test_pickles_and_code_are_not_loaded(tmp_path):
    qwen(tmp_path / "pickled")
    weights = tmp_path / "pickled/model.safetensors"
    weights.rename(weights.with_name("pytorch_model.bin"))
    with pytest.raises(WeightsError, match="safetensors"):
        TransformersVLM(config(tmp_path / "pickled"))
    own = tmp_path / "own"
    own.mkdir()
    (own / "config.json").write_text(
        json.dumps({"model_type": "own", "auto_map": {"AutoConfig": "own.Own"}})
    )
    (own / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Own: pass\n")
    with pytest.raises(WeightsError, match="cannot load"):
        TransformersVLM(config(own))
    assert not (tmp_path / "ran").exists()
