"""A run on an object store that fails and dawdles, beside one on a disk."""

import json
import random
import threading
import time

import pandas as pd
import pytest
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from pipelines.cluster import cluster
from pipelines.config import load_config
from pipelines.run import open_run
from pipelines.storage import Storage
from tests.pipelines.videos import coded_frames, write_video

SETTINGS = ["clip.num_frames=4", "clip.height=32", "clip.width=32", "annotate.tracker=none"]
SETTINGS += ["editor=tests.pipelines.editors:Invert"]
COLUMNS = ["row_id", "status", "error_type", "target_prompt", "source_video", "edited_video"]


class Faulty:
    """Answers one request in twenty with an error, and another one late."""

    def __init__(self, app):
        self.app = app
        self.rng = random.Random(3)
        self.errors = 0

    def __call__(self, environ, start_response):
        draw = self.rng.random()
        if draw < 0.05:
            self.errors += 1
            start_response("500 Internal Server Error", [("Content-Length", "0")])
            return [b""]
        if draw < 0.1:
            time.sleep(0.3)
        return self.app(environ, start_response)


@pytest.fixture
def store():
    app = Faulty(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", app
    server.shutdown()
    thread.join()


def run(input, output, *assignments):
    config = load_config(assignments=[*SETTINGS, *assignments])
    with open_run(output, config, input) as (opened, sources), cluster(config.execution):
        opened.annotate(sources)
        opened.plan()
        opened.edit()
        opened.publish()


def rows(tables):
    table = pd.concat(tables)[COLUMNS].fillna("").sort_values("row_id")
    return table.to_dict("records")


def test_the_dataset_is_that_of_a_run_on_a_disk(tmp_path, store):
    (tmp_path / "in").mkdir()
    entries = [{"id": "bad", "uri": "bad.mp4"}]
    (tmp_path / "in" / "bad.mp4").write_bytes(b"bad" * 100)
    for index in range(12):
        write_video(tmp_path / "in" / f"{index}.mp4", coded_frames(8), fps=8)
        entries.append({"id": str(index), "uri": f"{index}.mp4", "targets": [f"no. {index}"]})
    (tmp_path / "in" / "m.jsonl").write_text("\n".join(map(json.dumps, entries)))
    run(str(tmp_path / "in" / "m.jsonl"), str(tmp_path / "out"))

    endpoint, app = store
    options = (
        "execution.storage_options="
        f"{{key: k, secret: s, client_kwargs: {{endpoint_url: '{endpoint}'}}}}"
    )
    bucket = Storage("s3://faulty", load_config(assignments=[options]).execution.storage_options)
    bucket.fs.mkdir("faulty")
    for path in (tmp_path / "in").iterdir():
        bucket.write(f"in/{path.name}", path.read_bytes())
    run("s3://faulty/in/m.jsonl", "s3://faulty/out", options)
    assert app.errors > 10
    output = Storage("s3://faulty/out", bucket.options)
    there = [output.read_table(name).to_pandas() for name in output.find("dataset", ".parquet")]
    assert rows(there) == rows([pd.read_parquet(tmp_path / "out" / "dataset")])
    assert output.exists("_SUCCESS")
