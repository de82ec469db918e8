# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Silences of a release: put with an expiry, prolonged, removed by every ending, and never a reason to stop."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.errors import error_for
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.alertmanager import Alertmanager, AlertmanagerError
from ansible_collections.progressive.delivery.plugins.module_utils.release import record, runner
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import SpecError, parse
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import GIVEN, World


class Silences(ThreadingHTTPServer):
    """What Alertmanager's API does with silences, behind real HTTP: as version 0.28 answered in the lab."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.there, self.ended, self.put, self.removed = {}, {}, [], []
        self.broken = False
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_arguments):
        pass

    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.server.broken or self.path != "/api/v2/silences":
            return self.answer(503, "not now")
        name = body.pop("id", None)
        if name and name not in {**self.server.there, **self.server.ended}:
            return self.answer(404, "silence not found")
        standing = self.server.there.get(name)
        if standing and standing["startsAt"] != body["startsAt"]:
            self.server.ended[name] = self.server.there.pop(name)
            standing = None
        name = name if standing else f"s{len(self.server.put)}"
        self.server.there[name] = body
        self.server.put.append((name, body))
        return self.answer(200, {"silenceID": name})

    def do_GET(self):
        name = self.path.rpartition("/")[2]
        if self.server.broken:
            return self.answer(503, "not now")
        for state, found in (("active", self.server.there), ("expired", self.server.ended)):
            if name in found:
                return self.answer(200, {**found[name], "id": name, "status": {"state": state}})
        return self.answer(404, f"silence {name} not found")

    def do_DELETE(self):
        name = self.path.rpartition("/")[2]
        found = self.server.there.pop(name, None)
        if found:
            self.server.ended[name] = found
        self.server.removed.append(name)
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.fixture
def alertmanager():
    server = Silences()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def world(monkeypatch):
    made = World()
    nothing = type("Silent", (), {"get": lambda *_: {"status": "success", "data": {"alerts": []}}})()
    for module in ("engine.assemble", "engine.native"):
        monkeypatch.setattr(f"ansible_collections.progressive.delivery.plugins.module_utils.{module}.transport", lambda *_: nothing)
    return made


def given(server, **more):
    alerts = {"matchers": {"release": "shop"}, "silence": {"url": server.url}}
    return {"release_prometheus": {"url": "http://p"}, "release_alerts": alerts, **more}


def test_a_release_silences_its_own_alerts_but_none_that_returns_traffic(world, alertmanager):
    assert world.start(**given(alertmanager))["outcome"] == "promoted"
    name, body = alertmanager.put[0]
    assert body["matchers"] == [
        {"name": "release", "value": "shop", "isRegex": False, "isEqual": True},
        {"name": "action", "value": "rollback", "isRegex": False, "isEqual": False},
    ]
    assert body["endsAt"] > body["startsAt"]
    assert body["comment"].startswith("release shop-")
    assert (alertmanager.there, alertmanager.removed) == ({}, [name])
    assert record.load(world, "eu", "shop").state.silence == ""


def test_it_is_prolonged_under_the_same_id_and_never_lasts_long(world, alertmanager):
    world.start(**given(alertmanager, release_steps=[{"weight": 10, "bake_seconds": 900}, 100]))
    assert len({name for name, _body in alertmanager.put}) == 1
    assert len(alertmanager.put) >= 4
    assert len({body["startsAt"] for _name, body in alertmanager.put}) == 1, "another start would end it and make a new one"
    ends = [body["endsAt"] for _name, body in alertmanager.put]
    assert ends == sorted(set(ends))
    assert alertmanager.there == {}


def test_one_that_somebody_removed_is_no_trouble_at_the_end(world, alertmanager):
    def remove():
        alertmanager.ended.update(alertmanager.there)
        alertmanager.there.clear()

    world.at["  bake "] = remove
    world.start(**given(alertmanager, release_steps=[{"weight": 10, "bake_seconds": 60}, 100]))
    assert alertmanager.put and alertmanager.removed == []
    assert not [line for line in world.lines if "could not be removed" in line]


def test_a_silence_that_somebody_removed_is_put_anew(world, alertmanager):
    world.at["  bake "] = alertmanager.there.clear
    world.start(**given(alertmanager, release_steps=[{"weight": 10, "bake_seconds": 300}, 100]))
    assert len({name for name, _body in alertmanager.put}) == 2
    assert alertmanager.there == {}


def test_an_abort_removes_it(world, alertmanager):
    world.at["weight"] = lambda: setattr(world, "stop", "the parent is gone")
    assert world.start(**given(alertmanager))["outcome"] == "rolled_back"
    assert alertmanager.put and alertmanager.there == {}


def test_who_resumes_a_killed_release_removes_it(world, alertmanager, monkeypatch):
    def die(_context, _why):
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(runner, "_end_back", die)
        world.at["weight"] = lambda: setattr(world, "stop", "the parent is gone")
        with pytest.raises(KeyboardInterrupt):
            world.start(**given(alertmanager))
    assert len(alertmanager.there) == 1
    world.stop = None
    assert world.start(**given(alertmanager))["outcome"] == "promoted"
    assert alertmanager.there == {}


def test_a_broken_alertmanager_is_told_once_and_stops_nothing(world, alertmanager):
    alertmanager.broken = True
    assert world.start(**given(alertmanager, release_steps=[{"weight": 10, "bake_seconds": 200}, 100]))["outcome"] == "promoted"
    assert [line for line in world.lines if "alerts are not silenced: HTTP 503" in line] != []
    assert len([line for line in world.lines if "not silenced" in line]) == 1


def test_through_the_api_server_it_is_the_service_proxy():
    asked, gone = [], []

    class Proxy:
        def request(self, method, path, **options):
            asked.append((method, path, options.get("body")))
            if method == "GET" and gone:
                raise error_for(404, "NotFound", "no such silence", "GET x")
            if method == "DELETE":
                raise error_for(500, "", "not now", "DELETE x")
            return {"silenceID": "abc", "startsAt": "then", "status": {"state": "active"}}

    client = Alertmanager(Proxy(), None, ("monitoring", "alertmanager", "9093"))
    found = client.silence({"app": "shop"}, never=("action", "rollback"), until=1060.0, by="us", why="it", now=1000.0, known="")
    assert found == "abc"
    method, path, body = asked[0]
    assert (method, path) == ("POST", "/api/v1/namespaces/monitoring/services/alertmanager:9093/proxy/api/v2/silences")
    assert (body["startsAt"], body["endsAt"]) == ("1970-01-01T00:16:40.000Z", "1970-01-01T00:17:40.000Z")
    with pytest.raises(AlertmanagerError, match="not now"):
        client.lift("abc")
    gone.append(True)
    client.lift("abc")
    assert [method for method, _path, _body in asked] == ["POST", "GET", "DELETE", "GET"]


@pytest.mark.parametrize(
    ("silence", "field", "allowed"),
    [
        ({}, "release_alerts.silence", "exactly one of url and service"),
        ({"url": "http://a", "service": "a/b:1"}, "release_alerts.silence", "exactly one of url and service"),
        ({"url": "alertmanager:9093"}, "release_alerts.silence.url", "begins with http"),
        ({"url": "http://me:secret@a"}, "release_alerts.silence.url", "without a password"),
        ({"service": "alertmanager"}, "release_alerts.silence.service", "namespace/name:port"),
        ({"uri": "x"}, "release_alerts.silence.uri", "known: url, service"),
    ],
)
def test_a_wrong_place_of_alertmanager_is_refused(silence, field, allowed):
    with pytest.raises(SpecError) as caught:
        parse({**GIVEN, "release_prometheus": {"url": "http://p"}, "release_alerts": {"silence": silence}})
    assert allowed in {one.field: one.allowed for one in caught.value.problems}[field]
