"""A local server that speaks the hub's API for models in folders: listing, metadata, downloads.

Large files are redirected to signed addresses, as the hub does.
"""

import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

SIGNATURE = "X-Signature=do-not-log-me"
TREE = re.compile(r"/api/models/(?P<id>[^/]+/[^/]+)/tree/(?P<commit>[^/?]+)")
FILE = re.compile(r"/(?P<id>[^/]+/[^/]+)/resolve/(?P<commit>[^/]+)/(?P<name>.+)")
SIGNED = re.compile(r"/signed/(?P<id>[^/]+/[^/]+)/(?P<name>.+)")


@dataclass
class Hub:
    """Serves models, by id, from folders at one commit each.

    Attributes change what is served while a test runs.
    """

    models: dict[str, tuple[str, Path]] = field(default_factory=dict)
    """Id to commit and folder."""
    gated: set[str] = field(default_factory=set)
    """Ids that need a token."""
    failures: list[int] = field(default_factory=list)
    """Status codes of the next requests, consumed one by one; 0: the usual answer. The last one is
    repeated if it is negative."""
    tampered: set[str] = field(default_factory=set)
    """Names of files whose content differs from what the listing says."""
    broken_after: int | None = None
    """Bytes after which the next download breaks, once."""
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    """Method, path and the header Range."""

    def add(self, pinned: str, folder: Path) -> None:
        """Serve a folder as `owner/name@commit`."""
        name, _, commit = pinned.partition("@")
        self.models[name] = (commit, folder)

    def __enter__(self) -> "Hub":
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self):
                hub.answer(self, body=False)

            def do_GET(self):
                hub.answer(self, body=True)

            do_POST = do_PUT = do_GET

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def answer(self, handler, body):
        path = urlsplit(handler.path).path
        self.requests.append((handler.command, handler.path, handler.headers.get("Range")))
        if self.failures:
            status = self.failures[0]
            if status >= 0:
                self.failures.pop(0)
            if status:
                return _send(handler, abs(status), b"{}", {"Retry-After": "0"})
        if self.respond(handler, path):
            return None
        for pattern, respond in ((TREE, self._tree), (FILE, self._file), (SIGNED, self._signed)):
            if found := pattern.fullmatch(path):
                return respond(handler, body, **found.groupdict())
        return _send(handler, 404, b"{}")

    def respond(self, handler, path):
        """Answer a request of a subclass; returns whether the request is one."""
        return False

    def _refusal(self, handler, id, commit):
        if id in self.gated and handler.headers.get("Authorization") != "Bearer right":
            return 401, {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access is restricted."}
        if id not in self.models:
            return 404, {"X-Error-Code": "RepoNotFound"}
        if self.models[id][0] != commit:
            return 404, {"X-Error-Code": "RevisionNotFound"}
        return None

    def _tree(self, handler, body, id, commit):
        if refusal := self._refusal(handler, id, commit):
            return _send(handler, refusal[0], b"{}", refusal[1])
        folder = self.models[id][1]
        entries = []
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            data = path.read_bytes()
            entry = {"type": "file", "path": path.relative_to(folder).as_posix()}
            entry |= {"size": len(data), "oid": hashlib.sha1(data).hexdigest()}
            if _is_large(path):
                digest = hashlib.sha256(data).hexdigest()
                entry["lfs"] = {"oid": digest, "size": len(data), "pointerSize": 134}
            entries.append(entry)
        return _send(handler, 200, json.dumps(entries).encode())

    def _file(self, handler, body, id, commit, name):
        if refusal := self._refusal(handler, id, commit):
            return _send(handler, refusal[0], b"", refusal[1])
        path = self.models[id][1] / name
        if not path.is_file():
            return _send(handler, 404, b"", {"X-Error-Code": "EntryNotFound"})
        data = path.read_bytes()
        headers = {"X-Repo-Commit": commit}
        if not _is_large(path):
            headers["ETag"] = f'"{hashlib.sha1(data).hexdigest()}"'
            return _send(handler, 200, data, headers, body)
        headers |= {
            "X-Linked-ETag": f'"{hashlib.sha256(data).hexdigest()}"',
            "X-Linked-Size": str(len(data)),
            # Another host, as the hub has: clients follow redirects on its own host themselves.
            "Location": f"http://localhost:{self.server.server_port}/signed/{id}/{name}?{SIGNATURE}",
        }
        return _send(handler, 302, b"", headers)

    def _signed(self, handler, body, id, name):
        data = (self.models[id][1] / name).read_bytes()
        if name in self.tampered:
            data = bytes([data[0] ^ 1]) + data[1:]
        status, headers = 200, {"Accept-Ranges": "bytes"}
        if wanted := handler.headers.get("Range"):
            start = int(re.match(r"bytes=(\d+)-", wanted)[1])
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            status, data = 206, data[start:]
        if self.broken_after is not None and body:
            part, self.broken_after = data[: self.broken_after], None
            _head(handler, status, len(data), headers)
            handler.wfile.write(part)
            handler.close_connection = True
            return None
        return _send(handler, status, data, headers, body)


def _is_large(path: Path) -> bool:
    return path.suffix in (".safetensors", ".pt", ".bin")


def _head(handler, status, length, headers):
    handler.send_response(status)
    for name, value in {"Content-Length": str(length), **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()


def _send(handler, status, data, headers=None, body=True):
    _head(handler, status, len(data), headers or {})
    if body and handler.command != "HEAD":
        handler.wfile.write(data)
