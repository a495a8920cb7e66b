"""Captions by `ray.data.llm`, whose HTTP processor asks a local server."""

import base64
import io

import numpy as np
import pytest
import ray.data
from PIL import Image
from ray.data.llm import HttpRequestProcessorConfig

from pipelines.config.loading import load_config
from pipelines.media.encode import encode_video
from pipelines.ray_data import annotate
from pipelines.ray_data.captions import engine_answer, engine_request
from tests.pipelines.support.servers import Served, completion
from tests.pipelines.support.videos import coded_frames, write_video

SETTINGS = [
    *("clip.num_frames=4", "clip.height=64", "clip.width=128", "annotate.tracker=none"),
    *("annotate.endpoint.model=tiny-vlm", "annotate.captions.frames=2"),
    *("clip.max_clips_per_video=1", "annotate.captions.max_new_tokens=33", "seed=5"),
]


@pytest.mark.usefixtures("ray_cluster")
def test_a_server_captions_the_clips_that_have_no_caption(tmp_path):
    for name in "abc":
        write_video(tmp_path / f"{name}.mp4", coded_frames(8), fps=8)
    rows = [{"video": f"{name}.mp4", "caption": None, "label": n} for n, name in enumerate("abcd")]
    rows[1]["caption"] = "A cat sits on a chair."
    config = load_config(assignments=SETTINGS)
    texts = ("A brown dog runs along a beach.", "Sorry!")
    answers = [(200, completion(text), {"Content-Type": "application/json"}) for text in texts]
    with Served(*answers) as server:
        asked = HttpRequestProcessorConfig(
            url=f"{server.url}/chat/completions", batch_size=1, concurrency=1
        )
        dataset = annotate(ray.data.from_items(rows), config, root=str(tmp_path), captioner=asked)
        found = {row["label"]: row for row in dataset.take_all()}
        requests = [body for _, _, body in server.requests]
    prompts = {label: row["source_prompt"] for label, row in found.items()}
    assert prompts[1] == "A cat sits on a chair." and prompts[3] is None
    assert {prompts[0], prompts[2]} == {"A brown dog runs along a beach.", None}
    outcomes = {label: (row["status"], row["error_type"]) for label, row in found.items()}
    assert outcomes[1] == ("ok", None) and outcomes[3] == ("failed", "FileMissing")
    assert {outcomes[0], outcomes[2]} == {("ok", None), ("rejected", "BadCaption")}
    sources = {row["caption_source"] for row in found.values() if row["status"] == "ok"}
    assert sources == {"manifest", "ray.data.llm"}

    assert len(requests) == 2
    for body in requests:
        assert (body["model"], body["max_tokens"], body["seed"]) == ("tiny-vlm", 33, 5)
        *images, text = body["messages"][0]["content"]
        assert len(images) == 2 and text["type"] == "text"
        data = images[0]["image_url"]["url"].partition(",")[2]
        assert Image.open(io.BytesIO(base64.b64decode(data))).size == (128, 64)


def test_an_engine_gets_messages_and_sampling_parameters():
    config = load_config(assignments=SETTINGS)
    clip = encode_video(np.zeros((4, 64, 128, 3), np.uint8), 8)
    asked = engine_request(config, {"carried": b"row", "clip": clip})
    assert asked["sampling_params"] == {"temperature": 0.0, "seed": 5, "max_tokens": 33}
    assert [part["type"] for part in asked["messages"][0]["content"]] == [
        *("image_url", "image_url", "text")
    ]
    assert engine_request(config, {"carried": b"row", "clip": None}).keys() == {
        "__inference_error__"
    }
    told = engine_answer({"carried": b"row", "generated_text": "A dog."})
    assert told == {"carried": b"row", "answer": "A dog."}
