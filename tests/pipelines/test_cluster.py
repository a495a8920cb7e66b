import pytest
import ray

from pipelines.cluster import Allocation, allocate, cluster
from pipelines.config.loading import load_config
from pipelines.errors import RunError


@pytest.mark.parametrize(
    ("resources", "settings", "work", "expected"),
    [
        ({"CPU": 1}, [], 9, Allocation(1, cpus=0, gpus=0, threads=1)),
        ({"CPU": 2}, [], 9, Allocation(1, cpus=1, gpus=0, threads=2)),
        ({"CPU": 8}, [], 100, Allocation(7, cpus=1, gpus=0, threads=1)),
        ({"CPU": 8}, [], 2, Allocation(2, cpus=1, gpus=0, threads=4)),
        ({"CPU": 8}, ["execution.editors=8"], 100, Allocation(8, cpus=0, gpus=0, threads=1)),
        ({"CPU": 2, "GPU": 1}, [], 9, Allocation(1, cpus=1, gpus=1, threads=2)),
        ({"CPU": 64, "GPU": 8}, [], 100, Allocation(8, cpus=1, gpus=1, threads=8)),
        (
            {"CPU": 64, "GPU": 8},
            ["execution.gpus_per_editor=0.5", "execution.torch_threads=2"],
            100,
            Allocation(16, cpus=1, gpus=0.5, threads=2),
        ),
    ],
)
def test_editors_never_occupy_every_cpu(monkeypatch, resources, settings, work, expected):
    monkeypatch.setattr(ray, "cluster_resources", lambda: resources)
    assert allocate(load_config(assignments=settings).execution, work) == expected


@pytest.mark.usefixtures("ray_cluster")
def test_an_editor_that_fits_on_no_machine_is_refused():
    execution = load_config(assignments=["execution.gpus_per_editor=2"]).execution
    reason = r"\(2 CPU, 1 GPU in all\) has the 2 GPU and 1 CPU of one editor"
    with pytest.raises(RunError, match=reason), cluster(execution):
        raise AssertionError("not reached")
