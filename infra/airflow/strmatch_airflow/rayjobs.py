"""KubeRay's RayJobs through the Kubernetes API: created once, watched, deleted."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from kubernetes.client import ApiException, CustomObjectsApi

from strmatch_airflow.jobs import JobFailed

KIND = {"group": "ray.io", "version": "v1", "plural": "rayjobs"}
ENDED = ("Complete", "Failed")


class RayJobs:
    """The RayJobs of one namespace.

    Args:
        connect: gives a client; asked again when its token has expired.
    """

    def __init__(self, connect: Callable[[], CustomObjectsApi], namespace: str) -> None:
        self.connect = connect
        self.namespace = namespace
        self._api = connect()

    def ensure(self, manifest: dict[str, Any], name: str, timeout: float = 120.0) -> str:
        """Make a RayJob of this name wait or run. Returns "attached" or "created".

        A RayJob that has ended is deleted and created again: the caller has checked that its
        dataset is missing. The run resumes from what earlier jobs committed.

        Args:
            timeout: seconds to wait for Kubernetes to delete a RayJob.
        """
        body = manifest | {"metadata": manifest.get("metadata", {}) | {"name": name}}
        until = time.monotonic() + timeout
        while True:
            try:
                self._call("create_namespaced_custom_object", body=body)
                return "created"
            except ApiException as error:
                if error.status != 409:
                    raise
            there = self.get(name)
            if there and _state(there) not in ENDED and not _is_going(there):
                return "attached"
            if there and not _is_going(there):
                self.delete(name)
            if time.monotonic() > until:
                raise JobFailed(f"RayJob {name} is still there {timeout:.0f} s after deletion")
            time.sleep(0.5)

    def get(self, name: str) -> dict[str, Any] | None:
        """A RayJob, None if there is none of that name."""
        try:
            return dict(self._call("get_namespaced_custom_object", name=name))
        except ApiException as error:
            if error.status == 404:
                return None
            raise

    def look(self, name: str) -> bool:
        """Whether a RayJob has succeeded by now; False while it waits, runs or is tried again.

        Raises:
            JobFailed: it ended otherwise, or is not there.
        """
        there = self.get(name)
        if there is None:
            raise JobFailed(f"RayJob {name} was deleted")
        if _state(there) not in ENDED:
            return False
        status = there["status"]
        if _state(there) == "Failed" or status.get("jobStatus") != "SUCCEEDED":
            facts = [status.get(fact) for fact in ("jobStatus", "reason", "message")]
            raise JobFailed(f"RayJob {name}: {', '.join(fact for fact in facts if fact)}")
        return True

    def delete(self, name: str) -> None:
        """Delete a RayJob and with it its cluster; nothing happens if there is none."""
        try:
            self._call("delete_namespaced_custom_object", name=name)
        except ApiException as error:
            if error.status != 404:
                raise

    def _call(self, method: str, **arguments: Any) -> Any:
        for attempt in range(2):
            try:
                return getattr(self._api, method)(namespace=self.namespace, **KIND, **arguments)
            except ApiException as error:
                if error.status != 401 or attempt:
                    raise
                self._api = self.connect()  # the token has expired


class RayJob(NamedTuple):
    """One of them."""

    jobs: RayJobs
    name: str

    def look(self) -> bool:
        """See `RayJobs.look`."""
        return self.jobs.look(self.name)

    def stop(self) -> None:
        """See `RayJobs.delete`."""
        self.jobs.delete(self.name)


def _state(job: dict[str, Any]) -> str:
    return str(job.get("status", {}).get("jobDeploymentStatus", ""))


def _is_going(job: dict[str, Any]) -> bool:
    return "deletionTimestamp" in job["metadata"]
