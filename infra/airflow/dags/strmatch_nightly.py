"""Every night: yesterday's clips in, yesterday's edited dataset out.

Everything follows from the day: the partition that is read, the one that is written, the job's id.
So a retry finds the job of the first try, and a day that is cleared when it is done stays done.

Variables: `strmatch_input` and `strmatch_output`, folders with a folder a day (URIs that Ray's
machines and Airflow's reach); `strmatch_settings`, optional, a JSON list of settings as
`strmatch run --set` takes them. Connection: `ray_default`.
"""

from datetime import datetime, timedelta

from airflow.sdk import (
    DAG,
    Asset,
    CronPartitionTimetable,
    Metadata,
    ObjectStoragePath,
    PokeReturnValue,
    task,
)

from strmatch_airflow.dataset import verify
from strmatch_airflow.submit_operator import StrMatchSubmitOperator

DAY = "{{ dag_run.partition_key or ds }}"
INPUT = "{{ var.value.strmatch_input }}/" + DAY
OUTPUT = "{{ var.value.strmatch_output }}/" + DAY
EDITS = Asset("strmatch_edits")

with DAG(
    "strmatch_nightly",
    schedule=CronPartitionTimetable(
        "0 2 * * *", timezone="UTC", run_offset=-1, key_format="%Y-%m-%d"
    ),
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    render_template_as_native_obj=True,
    # Longer than a run that died on another machine holds its output: a minute.
    default_args={"retries": 2, "retry_delay": timedelta(minutes=3)},
):

    @task.sensor(poke_interval=300, timeout=timedelta(hours=6), mode="reschedule")
    def wait_for_input(input: str) -> PokeReturnValue:
        """Whoever delivers the clips writes `_READY` last."""
        return PokeReturnValue(is_done=(ObjectStoragePath(input) / "_READY").exists())

    edit = StrMatchSubmitOperator(
        task_id="edit",
        input_uri=INPUT,
        output_uri=OUTPUT,
        settings="{{ var.json.get('strmatch_settings', []) }}",
    )

    @task(outlets=[EDITS])
    def publish(output: str):
        """The dataset is whole, and others may read it."""
        counts = verify(ObjectStoragePath(output))
        yield Metadata(EDITS, {"output": output, **counts})

    wait_for_input(INPUT) >> edit >> publish(OUTPUT)
