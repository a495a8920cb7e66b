import numpy as np
import pytest
import torch

from pipelines.captioners.transformers_vlm import TransformersVLM
from pipelines.config.loading import resolve
from pipelines.errors import Rejected
from tests.pipelines.captioners.models import FAMILIES, SENTENCES, teach

CLIPS = [np.full((8, 48, 64, 3), colour, np.uint8) for colour in ((200, 30, 30), (20, 30, 230))]


@pytest.fixture(scope="module", params=FAMILIES)
def family(request, tmp_path_factory):
    """A family's name and the folder of its tiny model, with random weights."""
    return request.param, FAMILIES[request.param](tmp_path_factory.mktemp(request.param))


def config(folder, **captions):
    values = {"frames": 3, "max_new_tokens": 10} | captions
    return resolve({"annotate": {"vlm": {"weights": str(folder)}, "captions": values}})


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
