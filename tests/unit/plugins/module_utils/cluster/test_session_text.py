# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers that are text, against a real HTTP server."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.cluster import session as sessions
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.errors import SlowAnswer, Unreachable


class Pod(BaseHTTPRequestHandler):
    """Answers by its path: a status, a redirect, a body that is large, or late."""

    def do_GET(self):
        self.server.seen.append((self.path, self.headers.get("Authorization"), self.headers.get_all("Accept")))
        word = self.path.strip("/").partition("?")[0]
        time.sleep(0.5 if word == "late" else 0)
        self.send_response(int(word) if word.isdigit() else 200)
        self.send_header("X-Version", "2")
        if word == "302":
            self.send_header("Location", "/200")
        self.end_headers()
        self.wfile.write(b"x" * (3 * sessions.LARGEST_TEXT_BYTES) if word == "large" else f"answer of {self.path}".encode())

    def log_message(self, *_arguments):
        pass


@pytest.fixture
def server():
    found = ThreadingHTTPServer(("127.0.0.1", 0), Pod)
    found.seen = []
    threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield found
    found.shutdown()
    found.server_close()


@pytest.fixture
def session(server):
    return sessions.connect({"host": f"http://127.0.0.1:{server.server_port}", "api_key": "t0ken"})


@pytest.mark.parametrize("path", ["/200?a=b%20c", "/404", "/503", "/302"])
def test_an_answer_is_given_as_it_came_whatever_its_status_and_no_redirect_is_followed(session, server, path):
    answer = session.raw(path)
    assert (answer.status, answer.text, answer.headers["x-version"]) == (int(path[1:4]), f"answer of {path}", "2")
    assert server.seen == [(path, "Bearer t0ken", ["*/*"])]


def test_a_large_answer_is_cut(session):
    assert len(session.raw("/large").text) == sessions.LARGEST_TEXT_BYTES


def test_an_answer_that_does_not_come_in_time_is_told_from_a_server_that_is_not_there(session, server):
    with pytest.raises(SlowAnswer, match="no answer within"):
        session.raw("/late?secret=1", read_seconds=0.1)
    server.shutdown()
    server.server_close()
    with pytest.raises(Unreachable) as caught:
        session.raw("/200?secret=1")
    assert caught.value.call == "GET /200"
