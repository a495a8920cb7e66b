"""Local HTTP servers with the endpoints of the Ray Jobs API and of Kubernetes' custom objects."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, Any]


@contextmanager
def serve(answer: Callable[[str, str, Any], Answer], token: str | Callable[[], str]):
    """Serve `answer(method, path, body)` to requests that carry the token. Yields the address."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(size) or "null")
            expected = token if isinstance(token, str) else token()
            if self.headers.get("Authorization") != f"Bearer {expected}":
                status, said = 401, {"message": "Unauthorized"}
            else:
                status, said = answer(self.command, self.path.split("?")[0], body)
            text = said.encode() if isinstance(said, str) else json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_DELETE = _answer

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class RayJobsServer:
    """The Jobs API: jobs by id, whose status the test sets."""

    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.submitted: list[dict[str, Any]] = []
        self.broken = 0
        """Requests to be answered with a server error."""
        self.then: Callable[[dict[str, Any]], None] = lambda job: None
        """What happens to a job after each look at it."""

    def __call__(self, method: str, path: str, body: Any) -> Answer:
        if self.broken:
            self.broken -= 1
            return 503, "the head is restarting"
        _, _, _, job, *rest = path.split("/")
        if method == "POST" and not job:
            if body["submission_id"] in self.jobs:
                # The actual response of Ray 2.60.
                return 500, "Traceback …\nValueError: Job with submission_id x already exists.\n.\n"
            self.submitted.append(body)
            self.jobs[body["submission_id"]] = {"status": "PENDING", "message": "queued", "log": ""}
            return 200, {"submission_id": body["submission_id"]}
        if job not in self.jobs:
            return 404, f"Job {job} does not exist"
        found = self.jobs[job]
        if method == "DELETE":
            if found["status"] in ("PENDING", "RUNNING"):
                return 500, "it is not in a terminal state"
            del self.jobs[job]
            return 200, {"deleted": True}
        if rest == ["stop"]:
            found["status"] = "STOPPED"
            return 200, {"stopped": True}
        if rest == ["logs"]:
            return 200, {"logs": found["log"]}
        seen = dict(found)
        self.then(found)
        return 200, seen


class RayJobObjects:
    """The custom-objects endpoints of RayJobs. A deleted object stays for a few requests."""

    def __init__(self, linger: int = 0) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.created: list[dict[str, Any]] = []
        self.linger = linger
        self._going: dict[str, int] = {}

    def __call__(self, method: str, path: str, body: Any) -> Answer:
        prefix = "/apis/ray.io/v1/namespaces/videos/rayjobs"
        if not path.startswith(prefix):
            return 404, {"reason": "NotFound"}
        name = path[len(prefix) + 1 :]
        for gone in [name for name, left in self._going.items() if not left]:
            del self._going[gone], self.objects[gone]
        self._going = {name: left - 1 for name, left in self._going.items()}
        if method == "POST":
            name = body["metadata"]["name"]
            if name in self.objects:
                return 409, {"reason": "AlreadyExists"}
            self.objects[name] = body
            self.created.append(json.loads(json.dumps(body)))
            return 201, body
        if name not in self.objects:
            return 404, {"reason": "NotFound"}
        if method == "DELETE":
            self.objects[name]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
            self._going[name] = self.linger
        return 200, self.objects[name]

    def end(self, name: str, deployment: str, job: str, **facts: str) -> None:
        self.objects[name]["status"] = {
            "jobDeploymentStatus": deployment,
            "jobStatus": job,
            **facts,
        }

    def alive(self) -> Iterator[str]:
        return (n for n, o in self.objects.items() if "deletionTimestamp" not in o["metadata"])
