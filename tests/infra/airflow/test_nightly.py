"""The nightly DAG on a real Airflow and a real Ray cluster."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("airflow", reason="make test-airflow has Airflow")
from strmatch_airflow.jobs import submission_id
from strmatch_airflow.jobs_api import JobsApi
from tests.clusters import ROOT, local_cluster

pytestmark = [pytest.mark.infra, pytest.mark.timeout(900)]
RAY = Path(os.environ.get("RAY_BIN", ROOT / ".venv" / "bin" / "ray"))
DAY = "2026-01-01"
SETTINGS = ["clip.num_frames=4", "editor=tests.pipelines.fakes.editors:Slow"]
SETTINGS += ["annotate.captioner=template", "annotate.tracker=none", "measure.metrics=[]"]


@pytest.fixture(scope="module")
def cluster():
    with local_cluster(RAY) as cluster:
        yield cluster


@pytest.fixture
def api(cluster):
    return JobsApi(cluster.address, cluster.token)


@pytest.fixture(scope="module")
def clips(cluster, tmp_path_factory):
    """Clips rendered in the environment that has torch."""
    folder = tmp_path_factory.mktemp("clips") / "in"
    write = "import sys; from pathlib import Path; from tests.faults.harness import write_input; "
    write += "write_input(Path(sys.argv[1]), clips=3)"
    python = str(RAY.parent / "python")
    subprocess.run([python, "-c", write, str(folder)], check=True, env=cluster.environment)
    return folder


@pytest.fixture
def folder(airflow, cluster, clips, tmp_path, monkeypatch):
    """The folder named by the DAG's variables, with the clips of one day."""
    shutil.copytree(clips, tmp_path / "in" / DAY)
    (tmp_path / "in" / DAY / "_READY").touch()
    monkeypatch.setenv("AIRFLOW_VAR_STRMATCH_INPUT", str(tmp_path / "in"))
    monkeypatch.setenv("AIRFLOW_VAR_STRMATCH_OUTPUT", str(tmp_path / "out"))
    monkeypatch.setenv("AIRFLOW_VAR_STRMATCH_SETTINGS", json.dumps(SETTINGS))
    connection = {"conn_type": "http", "host": cluster.address, "password": cluster.token}
    monkeypatch.setenv("AIRFLOW_CONN_RAY_DEFAULT", json.dumps(connection))
    return tmp_path


def rows_of(output):
    import pyarrow.parquet as pq

    return pq.read_table(output / "dataset").to_pylist()


def test_the_dag_publishes_a_dataset_and_repeats_no_finished_work(nightly, folder, api, dag_test):
    """The published dataset has the expected counts. Clearing a finished day repeats no work."""
    run, states = dag_test(nightly, DAY)
    assert states == {"wait_for_input": "success", "edit": "success", "publish": "success"}
    output = folder / "out" / DAY
    rows = rows_of(output)
    assert len({row["row_id"] for row in rows}) == len(rows) == 7
    assert sum(row["status"] == "ok" for row in rows) == 6
    key = run.logical_date.isoformat()
    job = api.get(submission_id("strmatch_nightly", "edit", key, str(output)))
    assert job["status"] == "SUCCEEDED"

    before = {path: path.stat().st_mtime_ns for path in output.rglob("*.*")}
    _, states = dag_test(nightly, DAY)
    assert set(states.values()) == {"success"}
    assert {path: path.stat().st_mtime_ns for path in output.rglob("*.*")} == before
    assert api.get(job["submission_id"])["end_time"] == job["end_time"]

    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session

    with create_session() as session:
        events = session.query(AssetEvent).order_by(AssetEvent.id).all()
        published = [event.extra for event in events]
    counts = [extra["ok"] for extra in published if extra["output"] == str(output)]
    assert counts and set(counts) == {6}
