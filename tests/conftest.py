import os
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest
import torch
from xdist.scheduler import LoadFileScheduling

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as in `pipelines.cluster`


@cache
def on_ray(file):
    """Whether tests of a file need a Ray cluster."""
    text = file.read_text(encoding="utf-8")
    return "ray_cluster" in text or "mark.ray" in text


class RayTogether(LoadFileScheduling):
    """Gives the files of a folder that need Ray to one test process, and each other file to any.

    A cluster serves one file after the other. Tests on Ray often wait, so that two test processes
    with a cluster each end sooner than one with all files.
    """

    def _split_scope(self, nodeid):
        file = super()._split_scope(nodeid)
        return f"ray in {Path(file).parts[1]}" if on_ray(self.config.rootpath / file) else file

    def remove_node(self, node):
        """Returns the test that a test process died of, which fails and is not run again.

        xdist would hand the test to the next process, and each would die of the same test.
        """
        for tests in self.assigned_work[node].values():
            died_of = next((test for test, done in tests.items() if not done), None)
            if died_of:
                tests[died_of] = True
                super().remove_node(node)
                return died_of
        return super().remove_node(node)

    def _assign_work_unit(self, node):
        """Give a test process the next file.

        A process that died a moment ago, which xdist has not noticed, cannot be reached. The file
        counts as given, and `remove_node` returns the file with the rest of the process's work.
        """
        with suppress(OSError):
            super()._assign_work_unit(node)

    def _reschedule(self, node):
        """Give a test process files until the process has three tests or no file is left.

        A process runs a test once the next test is known. xdist gives one file, so that a process
        that replaces a dead one would wait for ever if the file has one test.
        """
        if node.shutting_down or node not in self.registered_collections:
            return
        while self.workqueue and self._pending_of(self.assigned_work[node]) <= 2:
            self._assign_work_unit(node)
        if not self.workqueue:
            node.shutdown()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return RayTogether(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(items):
    """Begin with the files that need Ray, which take longest."""
    items.sort(key=lambda item: not on_ray(item.path))


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
