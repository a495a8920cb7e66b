"""A local server that serves a dataset as the hub does: its commit, listings, ranges of files."""

import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from tests.hub import Hub, _send

REPO = r"/api/datasets/(?P<id>[^/]+/[^/]+)"
COMMIT = re.compile(REPO + r"/revision/(?P<revision>[^/]+)")
PATHS = re.compile(REPO + r"/paths-info/(?P<revision>[^/]+)")
TREE = re.compile(REPO + r"/tree/(?P<revision>[^/]+)(?:/(?P<below>.+))?")
FILE = re.compile(r"/datasets/(?P<id>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<name>.+)")


@dataclass
class DatasetHub(Hub):
    """Serves datasets from folders, each at one commit with the name of one branch or tag."""

    datasets: dict[str, tuple[str, str, Path]] = field(default_factory=dict)
    """Id to commit, branch or tag, and folder."""

    def answer(self, handler, body):
        path = unquote(urlsplit(handler.path).path)
        self.requests.append((handler.command, path, handler.headers.get("Range")))
        routes = ((COMMIT, self._commit), (PATHS, self._paths), (TREE, self._below))
        for pattern, respond in (*routes, (FILE, self._content)):
            if found := pattern.fullmatch(path):
                id, revision, *rest = found.groups()
                held = self.datasets.get(id)
                if held is None or revision not in held[:2]:
                    error = "RepoNotFound" if held is None else "RevisionNotFound"
                    return _send(handler, 404, b"{}", {"X-Error-Code": error})
                return respond(handler, held[0], held[2], *rest)
        return _send(handler, 404, b"{}")

    def _commit(self, handler, commit, folder):
        told = {"id": "a/dataset", "sha": commit, "private": False, "tags": [], "downloads": 0}
        return _send(handler, 200, json.dumps(told).encode())

    def _paths(self, handler, commit, folder):
        length = int(handler.headers.get("Content-Length") or 0)
        names = parse_qs(handler.rfile.read(length).decode())["paths"]
        found = [_entry(folder, folder / name) for name in names if (folder / name).exists()]
        return _send(handler, 200, json.dumps(found).encode())

    def _below(self, handler, commit, folder, below):
        query = parse_qs(urlsplit(handler.path).query)
        start = folder / (below or "")
        if not start.is_dir():
            return _send(handler, 404, b"{}", {"X-Error-Code": "EntryNotFound"})
        every = query.get("recursive", [""])[0].lower() in ("true", "1")
        paths = sorted(start.rglob("*") if every else start.iterdir())
        return _send(handler, 200, json.dumps([_entry(folder, path) for path in paths]).encode())

    def _content(self, handler, commit, folder, name):
        path = folder / name
        if not path.is_file():
            return _send(handler, 404, b"{}", {"X-Error-Code": "EntryNotFound"})
        data = path.read_bytes()
        headers = {"X-Repo-Commit": commit, "ETag": f'"{hashlib.sha1(data).hexdigest()}"'}
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", handler.headers.get("Range") or "")
        if wanted is None:
            return _send(handler, 200, data, headers, handler.command != "HEAD")
        first, last = int(wanted[1]), int(wanted[2] or len(data) - 1)
        headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
        return _send(handler, 206, data[first : last + 1], headers, handler.command != "HEAD")


def _entry(folder: Path, path: Path) -> dict:
    name = path.relative_to(folder).as_posix()
    if path.is_dir():
        return {"type": "directory", "path": name, "oid": hashlib.sha1(name.encode()).hexdigest()}
    data = path.read_bytes()
    entry = {"type": "file", "path": name, "size": len(data)}
    return entry | {"oid": hashlib.sha1(data).hexdigest()}
