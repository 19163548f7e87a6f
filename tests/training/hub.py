"""The part of the model hub's API that an upload uses, over real HTTP; it keeps what it is sent."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Hub:
    """What the hub has been sent."""

    def __init__(self) -> None:
        self.url = ""
        self.token = "hf_may_write"
        self.repositories: dict[str, bool] = {}
        """Name -> whether it is private."""
        self.blobs: dict[str, bytes] = {}
        self.files: dict[str, bytes] = {}
        self.requests: list[str] = []


@contextmanager
def stub() -> Iterator[Hub]:
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def log_message(self, *_: object) -> None: ...

    def _send(self, body: object, status: int = 200) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _body(self) -> bytes:
        self.hub.requests.append(f"{self.command} {self.path}")
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def _allowed(self) -> bool:
        good = self.headers.get("authorization") == f"Bearer {self.hub.token}"
        if not good:
            self._send({"error": "Invalid credentials"}, 401)
        return good

    def do_GET(self) -> None:
        self._body()
        name = self.path.removeprefix("/api/models/").partition("?")[0].partition("/revision")[0]
        if not self._allowed():
            return
        if "/tree/" in self.path:
            self._send([{"type": "file", "path": p, "size": len(c), "oid": "0"} for p, c in self.hub.files.items()])
        else:
            self._send({"id": name, "private": self.hub.repositories[name], "siblings": []})

    def do_PUT(self) -> None:
        self.hub.blobs[self.path.removeprefix("/blob/")] = self._body()
        self._send({})

    def do_POST(self) -> None:
        body = self._body()
        if self._allowed():
            self._post(self.path.partition("?")[0], body)

    def _post(self, path: str, body: bytes) -> None:
        if path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}"
            there = name in self.hub.repositories
            self.hub.repositories.setdefault(name, asked.get("visibility") == "private" or bool(asked.get("private")))
            self._send({"url": f"{self.hub.url}/{name}", "name": name}, 409 if there else 200)
        elif path == "/api/validate-yaml":
            self._send({"errors": [], "warnings": []})
        elif "/preupload/" in path:
            large = [f["path"] for f in json.loads(body)["files"] if f["path"].endswith(".safetensors")]
            modes = {f["path"]: "lfs" if f["path"] in large else "regular" for f in json.loads(body)["files"]}
            self._send({"files": [{"path": p, "uploadMode": m, "shouldIgnore": False} for p, m in modes.items()]})
        elif path.endswith("/info/lfs/objects/batch"):
            objects = json.loads(body)["objects"]
            made = [o | {"actions": {"upload": {"href": f"{self.hub.url}/blob/{o['oid']}"}}} for o in objects]
            self._send({"transfer": "basic", "objects": made})
        elif "/commit/" in path:
            self._commit(body)
        else:
            self._send({"error": path}, 404)

    def _commit(self, body: bytes) -> None:
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                self.hub.files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                self.hub.files[value["path"]] = self.hub.blobs[value["oid"]]
            elif line["key"] == "deletedFile":
                del self.hub.files[value["path"]]
        self._send(
            {"success": True, "commitUrl": f"{self.hub.url}/balizero/zantara-tiny/commit/abc123", "commitOid": "abc123"}
        )
