"""Airflow in a temporary folder, with SQLite and without services.

Airflow reads the environment on import, so the variables are set before the test modules load.
"""

import os
import subprocess
import sys
import tempfile
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
HOME = tempfile.TemporaryDirectory(prefix="airflow")
if find_spec("airflow"):
    os.environ |= {
        "AIRFLOW_HOME": HOME.name,
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "infra" / "airflow" / "dags"),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
    }


@pytest.fixture(scope="session")
def airflow():
    """An Airflow with an empty database, and the project's DAGs."""
    migrate = [str(Path(sys.executable).parent / "airflow"), "db", "migrate"]
    subprocess.run(migrate, check=True, capture_output=True)


@pytest.fixture
def dag_test(airflow):
    """Run `dag.test()` for a day. Return the run and the final state of each task."""
    import pendulum

    def test(dag, day, retries=0):
        for task in dag.tasks:
            task.retries, task.retry_delay = retries, timedelta(seconds=1)
        dag.task_dict["edit"].poll_seconds = 1.0
        run = dag.test(logical_date=pendulum.parse(day))
        return run, {task.task_id: str(task.state) for task in run.get_task_instances()}

    return test


@pytest.fixture
def nightly(airflow):
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag()
    assert bag.import_errors == {}
    assert list(bag.dags) == ["strmatch_nightly"]
    return bag.dags["strmatch_nightly"]
