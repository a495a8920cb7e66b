"""The Ray Jobs REST API, as far as it is needed."""

from typing import Any

import requests


class JobsApiError(Exception):
    """The cluster refused a request.

    Args:
        status: the HTTP status.
        text: what the cluster says; its last line names the cause.
    """

    def __init__(self, status: int, text: str) -> None:
        lines = [line.strip() for line in text.splitlines() if line.strip(" .\n")]
        hint = "; is the token in the connection's password still valid?" * (status in (401, 403))
        super().__init__(f"HTTP {status}: {lines[-1] if lines else 'no reason given'}{hint}")
        self.status = status


class JobsApi:
    """The jobs of one cluster.

    Args:
        address: of its dashboard, as http://head:8265.
        token: of a cluster that runs with RAY_AUTH_MODE=token.
        timeout: seconds that a request may take.

    Every method raises JobsApiError where the cluster refuses, and requests' ConnectionError or
    Timeout where it does not answer.
    """

    def __init__(self, address: str, token: str | None = None, timeout: float = 30.0) -> None:
        self.address = address.rstrip("/")
        self.timeout = timeout
        self.session = requests.Session()
        if token:
            self.session.headers["Authorization"] = f"Bearer {token}"

    def get(self, job: str) -> dict[str, Any] | None:
        """A job's `status`, `message`, `driver_exit_code` …; None if there is none of that id."""
        try:
            return self._request("GET", f"/{job}")
        except JobsApiError as error:
            if error.status == 404:
                return None
            raise

    def submit(
        self, job: str, entrypoint: str, runtime_env: dict[str, Any], metadata: dict[str, str]
    ) -> None:
        """Start a job under an id that no job has."""
        body = {"submission_id": job, "entrypoint": entrypoint}
        self._request("POST", "/", body | {"runtime_env": runtime_env, "metadata": metadata})

    def stop(self, job: str) -> None:
        """Ask a job to stop; it has a few seconds for that."""
        self._request("POST", f"/{job}/stop")

    def delete(self, job: str) -> None:
        """Forget a job that has ended, so that its id is free again."""
        self._request("DELETE", f"/{job}")

    def logs(self, job: str) -> str:
        """All that a job has printed, what earlier ones of that id printed first."""
        return str(self._request("GET", f"/{job}/logs")["logs"])

    def _request(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        answer = self.session.request(
            method, f"{self.address}/api/jobs{path}", json=body, timeout=self.timeout
        )
        if answer.status_code != 200:
            raise JobsApiError(answer.status_code, answer.text)
        return dict(answer.json())
