import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipelines.errors import RunError
from pipelines.reliability import lease
from pipelines.reliability.lease import Lease
from pipelines.storage import Storage

HOLDER = """
import sys, time
from pipelines.reliability.lease import Lease
from pipelines.storage import Storage
with Lease(Storage(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture(params=["disk", "S3"])
def output(request, tmp_path):
    if request.param == "disk":
        return Storage(str(tmp_path))
    bucket = tmp_path.name.replace("_", "-").lower()
    options = {"endpoint_url": request.getfixturevalue("s3"), "key": "a", "secret": "b"}
    storage = Storage(f"s3://{bucket}/out", options)
    storage.fs.mkdir(bucket)
    return storage


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(lease, "HEARTBEAT", 0.05)


def entry(output):
    (name,) = output.files(lease.LEASE_FOLDER)
    return name, json.loads(output.read(name))


def from_elsewhere(output, age):
    """Make the lease one of another machine's process, last renewed `age` seconds ago."""
    name, owner = entry(output)
    far = {"machine": "elsewhere", "host": "far", "heartbeat": time.time() - age}
    output.write(name, json.dumps(owner | far | {"done": False}).encode())


def test_a_held_output_is_refused_with_owner_and_age(output):
    with Lease(output):
        time.sleep(1.1)
        with pytest.raises(RunError) as refused, Lease(output):
            pass
    assert f"process {os.getpid()} on {os.uname().nodename}" in str(refused.value)
    assert "last sign of life 1 s ago" in str(refused.value)


def test_a_lease_is_released_even_after_an_error(output):
    with pytest.raises(KeyError), Lease(output):
        raise KeyError
    with Lease(output):
        pass


def test_only_one_of_many_simultaneous_owners_gets_the_lease(output):
    def attempt(_):
        try:
            holder = Lease(Storage(output.uri, output.options)).__enter__()
        except RunError:
            return None
        return holder

    with ThreadPoolExecutor(8) as pool:
        held = [holder for holder in pool.map(attempt, range(8)) if holder]
    assert len(held) == 1
    held[0].__exit__(None, None, None)


def test_a_held_lease_is_renewed(output, quick):
    with Lease(output):
        before = entry(output)[1]["heartbeat"]
        time.sleep(0.5)
        assert entry(output)[1]["heartbeat"] > before


def test_renewal_continues_after_the_lease_file_is_removed(output, quick):
    with Lease(output) as held:
        output.remove(lease.LEASE_FOLDER)
        for _ in range(200):
            if output.files(lease.LEASE_FOLDER):
                break
            time.sleep(0.05)
        assert entry(output)[0] == held.name
        held.check()


def test_the_lease_of_a_killed_owner_is_free_immediately(tmp_path):
    output = Storage(str(tmp_path))
    owner = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout.readline() == "held\n"
    with pytest.raises(RunError, match=f"process {owner.pid} on"), Lease(output):
        pass
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    with Lease(output):
        pass


@pytest.mark.parametrize(("age", "free"), [(50, False), (70, True)])
def test_the_lease_of_a_silent_remote_owner_expires_after_a_minute(output, age, free):
    with Lease(output):
        pass
    from_elsewhere(output, age)
    if free:
        with Lease(output):
            pass
    else:
        with pytest.raises(RunError, match="process .* on far.* 50 s ago"), Lease(output):
            pass


def test_an_owner_that_lost_the_lease_raises_and_leaves_the_new_lease(output, quick):
    with Lease(output) as former:
        former.check()
        with_gap = lease.LEASE_FOLDER + "/000009.json"
        output.create(with_gap, b"the next one's")
        time.sleep(0.5)
        with pytest.raises(RunError, match="taken over by another run"):
            former.check()
        output.remove(former.name)
    assert output.files(lease.LEASE_FOLDER) == [with_gap]
    assert output.read(with_gap) == b"the next one's"
