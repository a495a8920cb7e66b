"""A local server that takes datasets as the hub does: repositories, large files, commits.

Files of `LARGE` are stored by their SHA-256 before a commit names them. Others come with the
commit.
"""

import base64
import hashlib
import json
import re
import threading
import uuid
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from urllib.parse import parse_qs, unquote

import yaml

from tests.hub import Hub, _head, _send

LARGE = (".parquet", ".mp4")
REPO = r"/api/datasets/(?P<id>[^/]+/[^/]+)"
SIGNATURE = "X-Signature=do-not-log-me"


@dataclass
class Repository:
    """Branches of a dataset, each with its files by name, and the commits in order."""

    private: bool
    branches: dict[str, dict[str, bytes]] = field(default_factory=dict)
    commits: list[dict] = field(default_factory=list)


@dataclass
class UploadHub(Hub):
    """Serves datasets that an account with the token may write."""

    token: str = "right"
    datasets: dict[str, Repository] = field(default_factory=dict)
    stored: dict[str, bytes] = field(default_factory=dict)
    """Content of large files by SHA-256."""
    received: list[str] = field(default_factory=list)
    """SHA-256 of the large files, in the order in which they were received whole."""
    storing: threading.Lock = field(default_factory=threading.Lock)
    cut_after: int | None = None
    """Bytes after which the connection of the next upload is cut, once."""
    most_received: int | None = None
    """Large files after which further uploads wait until the client is gone."""
    lost_answers: int = 0
    """Commits that are made without an answer to the client."""

    def answer(self, handler, body):
        length = int(handler.headers.get("Content-Length") or 0)
        if handler.command == "PUT" and self.cut_after is not None:
            handler.rfile.read(self.cut_after)
            self.cut_after, handler.close_connection = None, True
            self.requests.append((handler.command, handler.path, "cut"))
            return None
        handler.content = handler.rfile.read(length)
        return super().answer(handler, body)

    def routes(self):
        return (
            ("POST", r"/api/repos/create", self._create),
            ("POST", r"/api/validate-yaml", self._validate),
            ("POST", REPO + r"/branch/(?P<branch>[^/]+)", self._branch),
            ("POST", REPO + r"/preupload/(?P<branch>[^/]+)", self._preupload),
            ("POST", REPO + r"/commit/(?P<branch>[^/]+)", self._commit),
            ("GET", REPO + r"/tree/(?P<branch>[^/]+)(?P<folder>/.*)?", self._dataset_tree),
            ("POST", REPO + r"/paths-info/(?P<branch>[^/]+)", self._paths_info),
            ("GET", REPO + r"(/revision/(?P<branch>[^/]+))?", self._info),
            (
                "POST",
                r"/datasets/(?P<id>[^/]+/[^/]+)\.git/info/lfs/objects/batch",
                self._batch,
            ),
            ("PUT", r"/store/(?P<digest>\w+)", self._store),
            (
                "GET|HEAD",
                r"/datasets/(?P<id>[^/]+/[^/]+)/resolve/(?P<branch>[^/]+)/(?P<name>.+)",
                self._resolve,
            ),
        )

    def respond(self, handler, path):
        for method, pattern, respond in self.routes():
            found = re.fullmatch(pattern, path)
            if not found or not re.fullmatch(method, handler.command):
                continue
            groups = {name: unquote(text or "") for name, text in found.groupdict().items()}
            if refused := self._refused(handler, path, groups):
                _send(handler, *refused)
            else:
                respond(handler, **groups)
            return True
        return False

    def _refused(self, handler, path, groups):
        """Returns what a refusal sends, or puts the repository and its branch in `groups`."""
        right = handler.headers.get("Authorization") == f"Bearer {self.token}"
        if not right and not path.startswith("/store/"):
            return 401, b'{"error": "Invalid username or password."}'
        if "id" not in groups:
            return None
        if groups["id"] not in self.datasets:
            return 404, b"{}", {"X-Error-Code": "RepoNotFound"}
        groups["id"] = repository = self.datasets[groups["id"]]
        if "branch" in groups:
            commits = {commit["oid"]: commit["branch"] for commit in repository.commits}
            name = groups["branch"] or "main"
            groups["branch"] = branch = commits.get(name, name)
            if branch not in repository.branches and "/branch/" not in path:
                return 404, b"{}", {"X-Error-Code": "RevisionNotFound"}
        return None

    def _create(self, handler):
        asked = json.loads(handler.content)
        name = f"{asked['organization']}/{asked['name']}"
        answer = {"url": f"{self.url}/datasets/{name}", "name": name}
        if name in self.datasets:
            return _json(handler, answer, 409)
        assert asked["type"] == "dataset"
        attributes = "".join(f"*{kind} filter=lfs diff=lfs merge=lfs -text\n" for kind in LARGE)
        begin = {".gitattributes": attributes.encode()}
        private = asked.get("private", asked.get("visibility") == "private")
        self.datasets[name] = Repository(private, {"main": begin})
        return _json(handler, answer)

    def _validate(self, handler):
        content = json.loads(handler.content)["content"]
        found = re.match(r"---\n(.*?\n)---\n", content, re.DOTALL)
        errors = []
        if not found or not isinstance(yaml.safe_load(found[1]), dict):
            errors = [{"message": "no metadata"}]
        return _json(handler, {"errors": errors, "warnings": []}, 400 if errors else 200)

    def _branch(self, handler, id, branch):
        if branch in id.branches:
            return _json(handler, {}, 409)
        id.branches[branch] = dict(id.branches["main"])
        return _json(handler, {})

    def _info(self, handler, id, branch):
        siblings = [{"rfilename": file} for file in id.branches[branch]]
        answer = {"id": self._name(id), "sha": _head_of(id), "private": id.private, "tags": []}
        return _json(handler, answer | {"siblings": siblings})

    def _name(self, repository):
        return next(name for name, each in self.datasets.items() if each is repository)

    def _dataset_tree(self, handler, id, branch, folder):
        files, below = id.branches[branch], folder.strip("/") and f"{folder.strip('/')}/"
        entries = [_entry(*file) for file in sorted(files.items()) if file[0].startswith(below)]
        parents = {str(each) for name in files for each in PurePosixPath(name).parents} - {"."}
        entries += [
            {"type": "directory", "path": name, "oid": _git_hash(name.encode())}
            for name in sorted(parents)
            if name.startswith(below)
        ]
        return _json(handler, entries)

    def _paths_info(self, handler, id, branch):
        asked = parse_qs(handler.content.decode())["paths"]
        files = id.branches[branch]
        return _json(handler, [_entry(name, files[name]) for name in asked if name in files])

    def _preupload(self, handler, id, branch):
        files = []
        for asked in json.loads(handler.content)["files"]:
            name, there = asked["path"], id.branches[branch].get(asked["path"])
            mode = "lfs" if name.endswith(LARGE) else "regular"
            answer = {"path": name, "uploadMode": mode, "shouldIgnore": False}
            if there is not None:
                large = mode == "lfs"
                answer["oid"] = hashlib.sha256(there).hexdigest() if large else _git_hash(there)
            files.append(answer)
        return _json(handler, {"files": files})

    def _batch(self, handler, id):
        answers = []
        for asked in json.loads(handler.content)["objects"]:
            answer = {"oid": asked["oid"], "size": asked["size"]}
            if asked["oid"] not in self.stored:
                address = f"{self.url}/store/{asked['oid']}?{SIGNATURE}"
                answer["actions"] = {"upload": {"href": address}}
            answers.append(answer)
        return _json(handler, {"transfer": "basic", "objects": answers})

    def _store(self, handler, digest):
        with self.storing:
            return self._store_one(handler, digest)

    def _store_one(self, handler, digest):
        if self.most_received is not None and len(self.received) >= self.most_received:
            handler.connection.settimeout(60)
            handler.rfile.read(1)  # ends with the client
            handler.close_connection = True
            return None
        if hashlib.sha256(handler.content).hexdigest() != digest:
            return _send(handler, 400, b"{}")
        self.stored[digest] = handler.content
        self.received.append(digest)
        return _send(handler, 200, b"")

    def _commit(self, handler, id, branch):
        lines = [json.loads(line) for line in handler.content.splitlines()]
        files = dict(id.branches[branch])
        commit = {"branch": branch, "added": [], "removed": [], "oid": uuid.uuid4().hex + "0" * 8}
        for line in lines:
            value = line["value"]
            if line["key"] == "header":
                commit |= value
            elif line["key"] == "deletedFile":
                del files[value["path"]]
                commit["removed"].append(value["path"])
            else:
                large = line["key"] == "lfsFile"
                data = self.stored[value["oid"]] if large else base64.b64decode(value["content"])
                files[value["path"]] = data
                commit["added"].append(value["path"])
        id.branches[branch] = files
        id.commits.append(commit)
        if self.lost_answers:
            self.lost_answers -= 1
            handler.close_connection = True
            return None
        address = f"{self.url}/datasets/{self._name(id)}/commit/{commit['oid']}"
        return _json(handler, {"commitUrl": address, "commitOid": commit["oid"]})

    def _resolve(self, handler, id, branch, name):
        files = id.branches[branch]
        if name not in files:
            return _send(handler, 404, b"", {"X-Error-Code": "EntryNotFound"})
        data, status = files[name], 200
        headers = {"X-Repo-Commit": _head_of(id), "ETag": f'"{hashlib.sha256(data).hexdigest()}"'}
        headers["Accept-Ranges"] = "bytes"
        if wanted := re.match(r"bytes=(\d+)-(\d*)", handler.headers.get("Range") or ""):
            start, end = int(wanted[1]), int(wanted[2] or len(data) - 1)
            headers["Content-Range"] = f"bytes {start}-{min(end, len(data) - 1)}/{len(data)}"
            status, data = 206, data[start : end + 1]
        if handler.command == "HEAD":
            return _head(handler, status, len(data), headers)
        return _send(handler, status, data, headers)


def _entry(name, data):
    entry = {"type": "file", "path": name, "size": len(data), "oid": _git_hash(data)}
    if name.endswith(LARGE):
        digest = hashlib.sha256(data).hexdigest()
        entry["lfs"] = {"oid": digest, "size": len(data), "pointerSize": 134}
    return entry


def _head_of(repository):
    return repository.commits[-1]["oid"] if repository.commits else "0" * 40


def _git_hash(data):
    return hashlib.sha1(f"blob {len(data)}\0".encode() + data).hexdigest()


def _json(handler, value, status=200):
    return _send(handler, status, json.dumps(value).encode(), {"Content-Type": "application/json"})
