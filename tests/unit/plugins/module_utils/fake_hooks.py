# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A receiver of webhooks on 127.0.0.1, and the world of fake_people whose time waits for it: sleeping lets questions be answered."""

import json
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from unittest import mock

from ansible_collections.progressive.delivery.plugins.module_utils.release import webhook_messages
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_people import People

PATIENCE_SECONDS = 60.0  # on a machine that others use, too


class HookedWorld(People):
    """The shop without gates. slow: do not wait for answers while time passes. flush_seconds: how long an ending waits for its events."""

    slow = False
    flush_seconds = PATIENCE_SECONDS

    def sleep(self, seconds):
        super().sleep(seconds)
        for thread in threading.enumerate():
            if thread.name == "asking" and not self.slow:
                thread.join(PATIENCE_SECONDS)

    def release(self, *webhooks, **changed):
        with mock.patch.object(webhook_messages, "FLUSH_SECONDS", self.flush_seconds):
            return self.start(release_webhooks=list(webhooks), **changed)

    @property
    def record(self):
        return self.stored("ConfigMap", "eu", "release-shop")["data"]

    @property
    def state(self):
        return json.loads(self.record["state"])

    def has_said(self, *words):
        """Whether one line has all of these words."""
        return any(all(word in line for word in words) for line in self.lines)


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        path = self.path.partition("?")[0].strip("/")
        with self.server.lock:
            self.server.seen[path].append((dict(self.headers), body))
            answers = self.server.answers[path]
            status, text = answers.pop(0) if len(answers) > 1 else answers[0] if answers else (200, "")
        act = self.server.acts.get(path)
        if act:
            act()
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.wfile.write(text.replace("ECHO", f"{self.path} {self.headers.get('Authorization')} {body}").encode())

    def log_message(self, *_arguments):
        pass


class Receiver(ThreadingHTTPServer):
    """answers: path -> (status, text) in their order, the last one again and again, 200 where there are none. acts: path -> what to do before."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lock = threading.Lock()
        self.seen, self.answers, self.acts = defaultdict(list), defaultdict(list), {}
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()

    def hook(self, kind, name="gate", **more):
        """A webhook whose path is its type and name."""
        return {"type": kind, "name": name, "url": f"http://127.0.0.1:{self.server_port}/{kind}/{name}", **more}

    def bodies(self, path):
        return [json.loads(body) for _headers, body in self.seen[path]]

    def close(self):
        self.shutdown()
        self.server_close()
