# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Prometheus that asks who comes, over real TLS; certificates are read once, and again when they were replaced."""

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.metrics import kept_tls
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.prometheus import ByUrl, Prometheus, Unavailable
from ansible_collections.progressive.delivery.plugins.module_utils.release.prometheus_spec import Access
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_authority import Authority

ANSWER = {"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1.5, "42"]}]}}


class Handler(BaseHTTPRequestHandler):
    """One number for every question; remembers who asked."""

    def do_GET(self):
        subject = dict(pair for (pair,) in self.connection.getpeercert()["subject"])
        self.server.asked.append((subject["commonName"], self.headers.get("Authorization")))
        sent = json.dumps(ANSWER).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, *_arguments):
        pass


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def server(authority):
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.asked = []
    made.socket = authority.server().wrap_socket(made.socket, server_side=True)
    made.handle_error = lambda *_arguments: None
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def read(monkeypatch):
    """How often certificates were read."""
    kept_tls._context.cache_clear()
    made = []
    whole = kept_tls.urls.make_context
    monkeypatch.setattr(kept_tls.urls, "make_context", lambda **given: made.append(given) or whole(**given))
    yield made
    kept_tls._context.cache_clear()


def prometheus(server, **access):
    return Prometheus(ByUrl(f"https://127.0.0.1:{server.server_port}", Access(**access)))


def test_a_server_that_asks_who_comes_is_asked_with_a_certificate(authority, server):
    certificate, key = authority.issue("release")
    assert prometheus(server, ca_cert=authority.file, client_cert=certificate, client_key=key, token="t").value("up") == 42.0
    assert server.asked == [("release", "Bearer t")]


def test_without_a_certificate_or_without_trust_there_is_no_answer_and_no_value(authority, server, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    certificate, key = authority.issue("release")
    for access in ({"ca_cert": authority.file}, {"client_cert": certificate, "client_key": key}, {"ca_cert": "/not/there.pem"}):
        with pytest.raises(Unavailable):
            prometheus(server, **access).value("up")
    assert server.asked == []


@pytest.mark.skipif(not kept_tls.TAKES_CONTEXT, reason="this ansible-core reads them for every request")
def test_certificates_are_read_once_and_again_when_they_were_replaced(authority, server, read):
    certificate, key = authority.issue("release")
    client = prometheus(server, ca_cert=authority.file, client_cert=certificate, client_key=key)
    for _look in range(3):
        assert client.value("up") == 42.0
    assert len(read) == 1
    for old, new in zip((certificate, key), authority.issue("renewed"), strict=True):
        os.replace(new, old)
    assert client.value("up") == 42.0
    assert [name for name, _token in server.asked] == ["release"] * 3 + ["renewed"]
    assert len(read) == 2


@pytest.mark.skipif(not kept_tls.TAKES_CONTEXT, reason="this ansible-core reads them for every request")
def test_who_trusts_differently_has_trust_of_its_own(authority, server, read):
    certificate, key = authority.issue("release")
    ours = {"client_cert": certificate, "client_key": key}
    assert prometheus(server, ca_cert=authority.file, **ours).value("up") == 42.0
    assert prometheus(server, validate_certs=False, **ours).value("up") == 42.0
    with pytest.raises(Unavailable):
        prometheus(server, **ours).value("up")
    assert len(read) == 3
