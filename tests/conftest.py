import os
import sys

import pytest
import torch


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Name the groups of `--dist loadgroup`: each file, and all files that run on Ray.

    Two clusters at a time are slower than one after the other, because Ray's processes poll while
    they wait. Beside one cluster, the other test process computes. Ray's group begins.
    """
    on_ray = {item.path for item in items if "ray_cluster" in item.fixturenames}
    on_ray |= {item.path for item in items if item.get_closest_marker("ray")}
    for item in items:
        group = "ray" if item.path in on_ray else item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: item.path not in on_ray)


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="module")
def no_idle_cluster(request):
    """Stop the cluster after the last file that needs one. An idle cluster takes CPU."""
    items = request.session.items
    here = next(n for n, item in enumerate(items) if item.path == request.path)
    ray = sys.modules.get("ray")
    needed = any("ray_cluster" in item.fixturenames for item in items[here:])
    if ray is not None and ray.is_initialized() and not needed:
        ray.shutdown()


@pytest.fixture(scope="module")
def ray_cluster():
    """The cluster of a test process: two CPUs and one logical GPU, on which every phase finishes.

    The cluster is kept for the next files. Workers find the packages by the environment of the
    cluster's processes. A runtime environment would make each worker a new process, because Ray
    starts its spare workers without one.
    """
    import ray

    if ray.is_initialized():
        return
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    ray.init(address="local", num_cpus=2, num_gpus=1, include_dashboard=False, log_to_driver=False)
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before


@pytest.fixture(scope="module")
def s3():
    """An object store, by its URL; any keys open it."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()
