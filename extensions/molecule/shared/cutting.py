"""cutting.py KUBECONFIG FOLDER NAMESPACE=answer|request ...: a way to the API server that loses a message; prints its port.

Serves the API server of a kubeconfig on 127.0.0.1, in the background, and writes FOLDER/kubeconfig for it. Of each namespace the first patch that gives the
canary half of the traffic is lost: with "request" it never arrives, with "answer" it is carried out and nobody is told. After that
the namespace is silent for SILENT_SECONDS: requests are hung up on. FOLDER/cuts.jsonl says what was lost and how many were hung up on.
It ends by a POST to /quit, and by itself after a quarter of an hour.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import yaml
from background import stays_behind
from kubernetes import client, config

SILENT_SECONDS = 5.0
LIFETIME_SECONDS = 900.0
OF_THE_ROUTE = re.compile(r"/namespaces/([^/]+)/virtualservices/")
NOT_PASSED_ON = {"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "authorization"}


class Cuts:
    """What is lost of each namespace, and what was."""

    def __init__(self, told: dict[str, str], log: Path) -> None:
        self._told, self._log = told, log
        self._lock = threading.Lock()
        self._silent_until: dict[str, float] = {}

    def lost(self, method: str, path: str, body: bytes) -> str | None:
        """What of this exchange is lost: request, answer, or None."""
        found = re.search(r"/namespaces/([^/]+)/", path)
        namespace = found[1] if found else ""
        with self._lock:
            if time.monotonic() < self._silent_until.get(namespace, 0.0):
                self._note(namespace, "silence", method, path)
                return "request"
            if (
                method != "PATCH"
                or "dryRun=" in path
                or not OF_THE_ROUTE.search(path)
                or b'"weight": 50' not in body
                or namespace not in self._told
            ):
                return None
            what = self._told.pop(namespace)
            self._silent_until[namespace] = time.monotonic() + SILENT_SECONDS
            self._note(namespace, what, method, path)
            return what

    def _note(self, namespace: str, what: str, method: str, path: str) -> None:
        with self._log.open("a") as log:
            log.write(json.dumps({"namespace": namespace, "lost": what, "method": method, "path": path, "time": time.time()}) + "\n")


class Handler(BaseHTTPRequestHandler):
    """Passes one request on."""

    protocol_version = "HTTP/1.1"
    cuts: ClassVar[Cuts]
    upstream: ClassVar[client.ApiClient]

    def _pass_on(self) -> None:
        if self.path == "/quit":
            threading.Thread(target=self.server.shutdown).start()
            self.close_connection = True
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        lost = self.cuts.lost(self.command, self.path, body)
        if lost != "request":
            headers = {name: value for name, value in self.headers.items() if name.lower() not in NOT_PASSED_ON}
            answer = self.upstream.rest_client.pool_manager.request(
                self.command, self.upstream.configuration.host + self.path, body=body or None, headers=headers, timeout=30.0, retries=False
            )
        if lost:
            self.close_connection = True
            return
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.headers.get("Content-Type", "application/json"))
        self.send_header("Content-Length", str(len(answer.data)))
        self.end_headers()
        self.wfile.write(answer.data)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass_on

    def log_message(self, *_arguments: object) -> None:
        """Say nothing of single requests."""


def main(kubeconfig: str, folder: str, *told: str) -> int:
    """Write the kubeconfig, then serve in the background."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    (place / "cuts.jsonl").write_text("")
    Handler.cuts = Cuts(dict(one.split("=") for one in told), place / "cuts.jsonl")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    named = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "cut",
        "clusters": [{"name": "cut", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "contexts": [{"name": "cut", "context": {"cluster": "cut", "user": "cut"}}],
        "users": [{"name": "cut", "user": {}}],
    }
    (place / "kubeconfig").write_text(yaml.safe_dump(named))
    print(server.server_port, flush=True)
    if not stays_behind():
        return 0
    Handler.upstream = config.new_client_from_config(kubeconfig)
    end = threading.Timer(LIFETIME_SECONDS, server.shutdown)
    end.daemon = True
    end.start()
    server.serve_forever()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
