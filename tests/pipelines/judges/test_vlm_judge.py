import base64
import io
import json
import time

import numpy as np
import pytest
from PIL import Image

from pipelines import plugins
from pipelines.config.loading import load_config
from pipelines.config.options import choose, option_texts
from pipelines.english.swaps import Swap
from pipelines.errors import ConfigError, RunError
from pipelines.judges.rubric import question
from pipelines.media.encode import encode_video
from pipelines.media.frames import sample as images_of
from pipelines.reliability.deadline import Deadline
from pipelines.schema import CLIPS, EDITS, rows_table
from pipelines.stages.measure_clip import MeasureClip
from pipelines.storage import Storage
from strmatch.metrics.base import NotMeasured, Sample
from tests.pipelines.captioners.models import qwen, teach_answers
from tests.pipelines.support.servers import (
    Served,
    completion,
    drip_body,
    drip_head,
    endless,
    hang,
    hang_up,
    late,
)

SOURCE = np.stack([np.full((32, 32, 3), 20 * n, np.uint8) for n in range(10)])
RED, BLUE = (
    np.full((10, 32, 32, 3), colour, np.uint8) for colour in ((200, 30, 30), (20, 30, 230))
)
PROMPTS = ("A grey circle moves.", "A red circle moves.")
SWAPS = [Swap("grey", "red")]


def answer(*scores, word="yes"):
    names = ("instruction", "preservation", "quality")
    return json.dumps(dict(zip(names, scores, strict=True)) | {"words": [word]})


GOOD = answer(5, 4, 3)


def configured(*assignments):
    return load_config(assignments=["measure.metrics=[vlm_judge]", *assignments])


def served(url, **limits):
    endpoint = {"base_url": url, "timeout": 60, "attempts": 100, "total_timeout": 5} | limits
    return configured(
        "seed=5",
        "measure.options.vlm_judge.model=server",
        "measure.options.vlm_judge.frames=5",
        "measure.options.vlm_judge.max_new_tokens=33",
        "measure.options.vlm_judge.served_model=tiny-vlm",
        *(f"execution.endpoint.{name}={value}" for name, value in endpoint.items()),
    )


def built(config):
    return plugins.metrics(config)["vlm_judge"]


def judge(metric, edited=RED):
    return metric(Sample(SOURCE, edited, None, *PROMPTS))


def test_the_request_has_both_clips_side_by_side_and_the_rubric():
    with Served(completion(GOOD)) as server:
        assert judge(built(served(server.url))) == 4.0
        ((_, _, request),) = server.requests
    assert (request["model"], request["max_tokens"], request["seed"]) == ("tiny-vlm", 33, 5)
    *images, text = request["messages"][0]["content"]
    assert text == {"type": "text", "text": question(*PROMPTS, SWAPS)}
    levels = []
    for image in images:
        data = base64.b64decode(image["image_url"]["url"].split(",")[1])
        shown = np.asarray(Image.open(io.BytesIO(data)))
        assert shown.shape == (32, 64, 3)
        levels.append(round(shown[:, :24].mean() / 20))
        assert np.abs(shown[:, 40:].mean(axis=(0, 1)) - RED[0, 0, 0]).max() < 8
    assert levels == [1, 3, 5, 7, 9]


@pytest.mark.parametrize(
    ("answers", "score"),
    [
        ([late(0.3, completion(GOOD))], 4.0),
        ([(500, b"busy", {}), completion(GOOD)], 4.0),
        ([hang_up, completion(GOOD)], 4.0),
        ([b"rubbish", completion(GOOD)], 4.0),
        ([completion(answer(5, 5, 5, word="no"))], 1.0),
        ([completion("Sure!"), completion(GOOD)], 4.0),
        ([completion(answer(5, 6, 5)), completion(answer(2, 5, 5))], 2.0),
    ],
)
def test_a_number_is_obtained_at_the_second_attempt_at_the_latest(answers, score):
    with Served(*answers) as server:
        assert judge(built(served(server.url))) == score
        assert len(server.requests) == len(answers)


def test_the_second_request_has_the_reason():
    with Served(completion("Sure!"), completion("My verdict: good.")) as server:
        with pytest.raises(NotMeasured) as raised:
            judge(built(served(server.url)))
        first, second = (
            request["messages"][0]["content"][-1]["text"] for _, _, request in server.requests
        )
    assert second == f"{first} Your last answer was wrong: it is not JSON alone."
    reason = "the model answered 'My verdict: good.', twice no verdict: it is not JSON alone."
    assert str(raised.value) == reason


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (hang, "no answer in time"),
        (drip_body, "no answer in time"),
        (drip_head, "no answer in time"),
        (endless, "answered more than"),
        ((500, b"busy", {}), "HTTP 500: busy"),
        ((400, b"no images", {}), "HTTP 400: no images"),
        (b"rubbish", "answered no chat completion but rubbish"),
        (late(0.6, completion("rubbish")), "no answer in time|twice no verdict"),
    ],
)
def test_the_metric_is_null_with_the_reason_within_the_timeout_of_two_answers(bad, reason):
    with Served(bad) as server:
        metric = built(served(server.url, total_timeout=0.8))
        started = time.monotonic()
        with pytest.raises(NotMeasured, match=reason):
            judge(metric)
        assert time.monotonic() - started < 2 * 0.8 + 3.0


def test_no_row_is_lost_when_a_server_answers_some_requests_only(tmp_path):
    output = Storage(str(tmp_path))
    clip = {"row_id": "c", "source_video": encode_video(SOURCE, 8), "mask": None}
    output.write_table("clips/a.parquet", rows_table([clip], CLIPS))
    names = ["a", "b", "c", "d"]
    video = encode_video(RED, 8)
    edits = [{"edit_id": name, "status": "ok", "edited_video": video} for name in names]
    output.write_table("edits/e.parquet", rows_table(edits, EDITS))
    work = {"clip_file": "clips/a.parquet", "clip_row": "c", "source_prompt": PROMPTS[0]}
    work |= {"edit_file": "edits/e.parquet", "edit_ids": names, "measures": "m"}
    work |= {
        "target_prompts": [PROMPTS[1]] * 4,
        "target_wheres": ["subject"] * 4,
        "edit_lists": [None] * 4,
    }
    work |= {"num_frames": len(SOURCE)}
    answers = (completion(GOOD), drip_body, completion("Sure!"), completion("\ud800"))
    with Served(*answers, (503, b"down", {})) as server:
        config = served(server.url, total_timeout=0.8, attempts=1)
        measure = config.measure.model_copy(update={"metrics": ("vlm_judge", "motion_error")})
        config = config.model_copy(update={"measure": measure})
        done = MeasureClip(config, output, Deadline(60.0))(work)
    assert (done["ok"], done["failed"], done["problem"]) == (4, 0, None)
    rows = output.read_table("measures/m.parquet").to_pylist()
    assert [row["edit_id"] for row in rows] == names
    assert [row["status"] for row in rows] == ["ok"] * 4
    values = [dict(row["metrics"]) for row in rows]
    assert [each["vlm_judge"] for each in values] == [4.0, None, None, None]
    assert all(each["motion_error"] is not None for each in values)
    reasons = [None, "no answer in time", r"the model answered '\ud800', twice", "HTTP 503: down"]
    for row, reason in zip(rows, reasons, strict=True):
        message = row["measure_message"]
        assert message is None if reason is None else reason in message
        assert message is None or message.startswith("vlm_judge: ")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The folder of a tiny model with random weights, which has the words of two answers."""
    return qwen(tmp_path_factory.mktemp("vlm"), [GOOD, answer(5, 5, 5, word="no")])


def local(folder):
    return configured(
        f"annotate.vlm.weights={folder}",
        "measure.options.vlm_judge.frames=3",
        "measure.options.vlm_judge.max_new_tokens=12",
    )


def test_a_model_that_answers_nonsense_gives_null_after_two_answers(model, monkeypatch):
    metric = built(local(model))
    counts = []
    generate = metric.model.model.generate
    monkeypatch.setattr(
        metric.model.model, "generate", lambda **inputs: counts.append(1) or generate(**inputs)
    )
    with pytest.raises(NotMeasured, match="twice no verdict: it is not JSON alone"):
        judge(metric)
    assert len(counts) == 2


def test_a_trained_model_tells_a_good_edit_from_a_bad_one(model, tmp_path):
    teacher = built(local(model)).model
    asked = question(*PROMPTS, SWAPS)
    pairs = []
    for edited, said in ((RED, GOOD), (BLUE, answer(5, 5, 5, word="no"))):
        shown = images_of(np.concatenate([SOURCE, edited], axis=2), 3)
        pairs.append((teacher.inputs(shown, asked), said))
    for file in model.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    assert teach_answers(teacher, pairs, tmp_path) < 0.2
    taught = built(local(tmp_path))
    assert [judge(taught, edited) for edited in (RED, BLUE, RED)] == [4.0, 1.0, 4.0]


def test_the_place_of_the_model_decides_about_gpu_weights_and_server(tmp_path):
    here, there = local(tmp_path), served("http://127.0.0.1:1/v1", total_timeout=0.5)
    assert plugins.metrics_on_gpu(here) and not plugins.metrics_on_gpu(there)
    (weights,) = choose("metric", here, "vlm_judge").call("models")
    assert weights.weights == str(tmp_path)
    assert choose("metric", there, "vlm_judge").call("models") == []
    with pytest.raises(RunError, match="metric vlm_judge: http://127.0.0.1:1/v1/chat/completions"):
        plugins.check_metrics(there, used=True)
    captions = ["measure.options.vlm_judge.model=server", "annotate.endpoint.model=other"]
    config = configured(*captions, "execution.endpoint.base_url=http://h/v1")
    assert built(config).model.endpoint.model == "other"
    with pytest.raises(ConfigError, match=r"vlm_judge \(model=server\) need a server: set exec"):
        configured("measure.options.vlm_judge.model=server")
    with pytest.raises(ConfigError, match="annotate.vlm: some/model is no folder"):
        configured("annotate.vlm.weights=some/model")
    (texts,) = option_texts(there).values()
    assert [text.split(":")[0] for text in texts] == [
        *("vlm_judge.model", "vlm_judge.served_model", "vlm_judge.frames"),
        "vlm_judge.max_new_tokens",
    ]
