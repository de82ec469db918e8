# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Prometheus on a free port of this machine, and the targets that it scrapes every second: a test says what they show."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.metrics.prometheus import ByUrl, MetricsError, Prometheus

TARGETS = 38
PATIENCE_SECONDS = 120.0  # a loaded machine scrapes late
PROTOBUF = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
CONFIG = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: plain
    honor_labels: true
    static_configs: [{plain}]
  - job_name: custom_buckets
    honor_labels: true
    convert_classic_histograms_to_nhcb: true
    static_configs: [{custom}]
"""


class Target:
    """One thing to scrape. None: it answers 503."""

    def __init__(self, number: int, *, custom: bool = False) -> None:
        self.path = f"/{'custom' if custom else 'plain'}/{number}"
        self.body: str | bytes | None = None
        self.mark = 0  # part of what it shows as text
        self.shown_at = 0.0  # since when (Unix time)


class Lab:
    """Prometheus and its targets. show() returns when Prometheus has scraped what is shown."""

    def __init__(self, binary: Path, folder: Path) -> None:
        self._binary, self._folder = binary, folder
        self._targets = {one.path: one for one in [Target(number) for number in range(TARGETS)] + [Target(0, custom=True)]}
        self._free = [one for path, one in self._targets.items() if path.startswith("/plain")]
        self.custom = self._targets["/custom/0"]
        self._marks = 0
        self.asked = 0  # HTTP requests of our code

    def __enter__(self) -> Lab:
        self._server = _Server(("127.0.0.1", 0), _handler(self._targets))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
        where = f"127.0.0.1:{self._server.server_port}"
        groups = {
            job: ", ".join(_group(where, path) for path in self._targets if path.startswith(f"/{job}/")) for job in ("plain", "custom")
        }
        (self._folder / "prometheus.yml").write_text(CONFIG.format(**groups))
        self._log = (self._folder / "prometheus.log").open("w")
        self._process = subprocess.Popen(
            [
                *("nice", "-n", "19", str(self._binary)),
                f"--config.file={self._folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={self._folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--enable-feature=native-histograms",
            ],
            stdout=self._log,
            stderr=self._log,
        )
        self.url = f"http://127.0.0.1:{port}"
        self.client = Prometheus(Counting(ByUrl(self.url), self))
        try:
            wait_for(self._is_up, lambda: (self._folder / "prometheus.log").read_text()[-2000:])
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.terminate()
        self._process.wait()
        self._log.close()
        self._server.shutdown()
        self._server.server_close()

    def target(self) -> Target:
        """One that nothing has used yet."""
        return self._free.pop()

    def show(self, shown: dict[Target, Any]) -> None:
        """Let targets show this, and wait until Prometheus has it. None: the target does not answer."""
        self._marks += 1
        for target, body in shown.items():
            target.mark, target.shown_at = self._marks, time.time()
            target.body = body if body is None or isinstance(body, bytes) else f'{body}\nmark{{target="{target.path}"}} {self._marks}\n'
        wait_for(lambda: self._missing(shown) == [], lambda: f"not scraped: {', '.join(self._missing(shown))}")

    def _missing(self, shown: Iterable[Target]) -> list[str]:
        """The paths of targets that Prometheus has not read since they show what they show."""
        client = Prometheus(ByUrl(self.url))
        marks = {labels["target"]: value for labels, value in client.instant("mark")}
        ups = {labels["instance"]: value for labels, value in client.instant("up")}
        times = {labels["instance"]: value for labels, value in client.instant("timestamp(up)")}

        def has(target: Target) -> bool:
            if isinstance(target.body, str):
                return marks.get(target.path) == target.mark
            up = 0.0 if target.body is None else 1.0
            return times.get(target.path, 0.0) > target.shown_at and ups.get(target.path) == up

        return [target.path for target in shown if not has(target)]

    def _is_up(self) -> bool:
        try:
            return self.client.value("vector(1)") == 1.0
        except MetricsError:
            return False


class _Server(ThreadingHTTPServer):
    """Without a word about scrapes that gave up."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Tell what went wrong, unless it is only the other side that went away."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Counting:
    """A transport that counts what is asked of it."""

    def __init__(self, inner: ByUrl, lab: Lab) -> None:
        self._inner, self._lab = inner, lab

    def get(self, path: str, query: Any) -> Any:
        """The answer of the real server."""
        self._lab.asked += 1
        return self._inner.get(path, query)


def wait_for(reached: Callable[[], bool], otherwise: Callable[[], str]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not reached():
        if time.monotonic() > end:
            raise AssertionError(otherwise())
        time.sleep(0.1)


def _group(where: str, path: str) -> str:
    return f"{{targets: ['{where}'], labels: {{__metrics_path__: '{path}', instance: '{path}'}}}}"


def _handler(targets: dict[str, Target]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # Prometheus keeps its connections

        def do_GET(self) -> None:
            body = targets[self.path].body
            sent = body if isinstance(body, bytes) else (body or "").encode()
            with contextlib.suppress(ConnectionError):  # a scrape that took too long
                self.send_response(503 if body is None else 200)
                self.send_header("Content-Type", PROTOBUF if isinstance(body, bytes) else "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(sent)))
                self.end_headers()
                self.wfile.write(sent)

        def log_message(self, *_arguments: Any) -> None:
            pass

    return Handler
