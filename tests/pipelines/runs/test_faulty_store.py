"""A run on an object store that fails and dawdles, beside one on a disk."""

import json
import random
import threading
import time

import numpy as np
import pandas as pd
import pytest
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.datastructures import Headers
from werkzeug.serving import make_server

from pipelines.cluster import cluster
from pipelines.config.loading import load_config
from pipelines.media.video.opening import open_video
from pipelines.runs.open_run import open_run
from pipelines.storage import Storage
from tests.pipelines.support.videos import coded_frames, write_video

SETTINGS = ["clip.num_frames=4", "clip.height=32", "clip.width=32", "annotate.tracker=none"]
SETTINGS += ["annotate.captioner=template"]
SETTINGS += ["editor=tests.pipelines.fakes.editors:Invert"]
SETTINGS += ["measure.metrics=[tests.pipelines.fakes.metrics:Difference]"]
COLUMNS = ["row_id", "status", "error_type", "target_prompt", "source_video", "edited_video"]


class Faulty:
    """Answers a share of requests with an error, and as many late; counts what videos cost."""

    def __init__(self, app):
        self.app = app
        self.rng = random.Random(3)
        self.share = 0.0
        self.errors = self.video_bytes = 0

    def __call__(self, environ, start_response):
        draw = self.rng.random()
        if draw < self.share:
            self.errors += 1
            start_response("500 Internal Server Error", [("Content-Length", "0")])
            return [b""]
        if draw < 2 * self.share:
            time.sleep(0.3)

        def count(status, headers, *rest):
            if environ["REQUEST_METHOD"] == "GET" and environ["PATH_INFO"].endswith(".mp4"):
                self.video_bytes += Headers(headers).get("content-length", 0, int)
            return start_response(status, headers, *rest)

        return self.app(environ, count)


@pytest.fixture
def store():
    app = Faulty(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    options = (
        "execution.storage_options={key: k, secret: s, "
        f"client_kwargs: {{endpoint_url: 'http://127.0.0.1:{server.server_port}'}}}}"
    )
    bucket = Storage("s3://faulty", load_config(assignments=[options]).execution.storage_options)
    bucket.fs.makedirs("faulty", exist_ok=True)
    yield bucket, app, options
    server.shutdown()
    thread.join()


def run(input, output, *assignments):
    config = load_config(assignments=[*SETTINGS, *assignments])
    with open_run(output, config, input) as opened, cluster(config.execution):
        opened.all_phases()


def rows(tables):
    table = pd.concat(tables)[COLUMNS].fillna("").sort_values("row_id")
    return table.to_dict("records")


@pytest.mark.slow
@pytest.mark.usefixtures("ray_cluster")
def test_the_dataset_is_that_of_a_run_on_a_disk(tmp_path, store):
    (tmp_path / "in").mkdir()
    entries = [{"id": "bad", "uri": "bad.mp4"}]
    (tmp_path / "in" / "bad.mp4").write_bytes(b"bad" * 100)
    for index in range(6):
        write_video(tmp_path / "in" / f"{index}.mp4", coded_frames(8), fps=8)
        entries.append({"id": str(index), "uri": f"{index}.mp4", "targets": [f"no. {index}"]})
    (tmp_path / "in" / "m.jsonl").write_text("\n".join(map(json.dumps, entries)))
    run(str(tmp_path / "in" / "m.jsonl"), str(tmp_path / "out"))

    bucket, app, options = store
    app.share = 0.08
    for path in (tmp_path / "in").iterdir():
        bucket.write(f"in/{path.name}", path.read_bytes())
    run("s3://faulty/in/m.jsonl", "s3://faulty/out", options)
    assert app.errors > 10
    output = Storage("s3://faulty/out", bucket.options)
    there = [output.read_table(name).to_pandas() for name in output.find("dataset", ".parquet")]
    assert rows(there) == rows([pd.read_parquet(tmp_path / "out" / "dataset")])
    assert output.exists("_SUCCESS")


@pytest.mark.parametrize(("seconds", "most"), [(24, 0.3), (60, 0.15)])
def test_a_span_of_a_long_video_costs_little_more_than_itself(tmp_path, store, seconds, most):
    bucket, app, _ = store
    frames = np.random.default_rng(0).integers(0, 255, (seconds * 25, 64, 64, 3), np.uint8)
    path = write_video(
        tmp_path / "long.mp4",
        frames,
        options={"preset": "ultrafast", "crf": "30"},
        container_options={"movflags": "faststart"},
    )
    bucket.write("long.mp4", path.read_bytes())
    with open_video("s3://faulty/long.mp4", bucket.options) as video:
        middle = int(np.searchsorted(video.timestamps, seconds / 2))
        assert len(video.frames(range(middle, middle + 50, 3))) == 17  # two seconds
    share = app.video_bytes / path.stat().st_size
    assert 2 / seconds < share < most
