import base64
import io

import numpy as np
import pytest
from PIL import Image

from pipelines import plugins
from pipelines.captioners.caption_check import INSTRUCTION
from pipelines.config.loading import resolve
from pipelines.errors import Rejected, RowError
from tests.pipelines.support.servers import Served, completion, drip_body, hang, late

CAPTION = "A brown dog runs along a sandy beach."
FRAMES = np.stack([np.full((32, 48, 3), 20 * n, np.uint8) for n in range(10)])


def captioner(url, **limits):
    config = resolve(
        {
            "seed": 5,
            "annotate": {
                "captioner": "openai",
                "endpoint": {"model": "tiny-vlm"},
                "captions": {"frames": 5, "max_new_tokens": 33},
            },
            "execution": {"endpoint": {"base_url": url, "timeout": 1.5, "attempts": 2} | limits},
        }
    )
    return plugins.find("captioner", config.annotate.captioner)(config)


def test_the_request_has_the_frames_in_order_and_then_the_instruction():
    with Served(completion(f'"{CAPTION}"')) as server:
        assert captioner(server.url)(FRAMES) == CAPTION
        request = server.requests[0][2]
    assert (request["model"], request["max_tokens"], request["seed"]) == ("tiny-vlm", 33, 5)
    *images, text = request["messages"][0]["content"]
    assert text == {"type": "text", "text": INSTRUCTION}
    levels = []
    for image in images:
        head, data = image["image_url"]["url"].split(",")
        assert (image["type"], head) == ("image_url", "data:image/jpeg;base64")
        shown = Image.open(io.BytesIO(base64.b64decode(data)))
        assert (shown.format, shown.size) == ("JPEG", (48, 32))
        levels.append(round(np.asarray(shown).mean() / 20))
    assert levels == [1, 3, 5, 7, 9]


@pytest.mark.parametrize(
    ("answers", "requests"),
    [
        ([completion(CAPTION)], 1),
        ([late(0.3, completion(CAPTION))], 1),
        ([(500, b"busy", {}), completion(CAPTION)], 2),
        ([hang, completion(CAPTION)], 2),
        ([b"rubbish", completion(CAPTION)], 2),
        ([completion(f"Sure, here is a caption: {CAPTION}"), completion(CAPTION)], 2),
        ([completion(f"The video shows {CAPTION}")], 1),
    ],
)
def test_a_caption_is_obtained_within_the_allowed_requests(answers, requests):
    with Served(*answers) as server:
        assert captioner(server.url)(FRAMES) == CAPTION
        assert len(server.requests) == requests


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((500, b"busy", {}), "HTTP 500: busy"),
        (b"rubbish", "answered no chat completion but rubbish"),
        (b'{"choices": []}', "answered no chat completion"),
        (hang, "no answer within 1.5 s"),
        (drip_body, "no answer within 1.5 s"),
    ],
)
def test_a_missing_answer_fails_the_row(answer, reason):
    with Served(answer) as server:
        asked = captioner(server.url)
        with pytest.raises(RowError) as raised:
            asked(FRAMES)
    assert raised.value.type == "EndpointFailed" and reason in raised.value.message
    assert not isinstance(raised.value, Rejected)


def test_a_second_invalid_caption_rejects_the_row():
    with Served(completion("Sure!"), completion("I cannot see any video.")) as server:
        with pytest.raises(Rejected, match="BadCaption.*'I cannot see any video.'"):
            captioner(server.url)(FRAMES)
        asked = [request["messages"][0]["content"][-1]["text"] for _, _, request in server.requests]
    assert len(asked) == 2
    assert asked[1].startswith(INSTRUCTION) and "it begins with 'Sure'" in asked[1]
