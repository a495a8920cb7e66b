import os
import sys

import pytest
import torch


def pytest_collection_modifyitems(items):
    """Begin with the files that have slow tests, so that both workers end at the same time."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def ray_cluster():
    """The cluster of a test process: two CPUs and one logical GPU, on which every phase finishes.

    Workers find the packages by the environment of the cluster's processes. A runtime environment
    would make each worker a new process, because Ray starts its spare workers without one.
    """
    import ray

    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    ray.init(address="local", num_cpus=2, num_gpus=1, include_dashboard=False, log_to_driver=False)
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def s3():
    """An object store, by its URL; any keys open it."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()
