# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every answer of Prometheus is complete or an error, whichever way it came."""

import io
import json
from http.client import IncompleteRead
from urllib.error import HTTPError, URLError

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.errors import error_for
from ansible_collections.progressive.delivery.plugins.module_utils.metrics import prometheus
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.prometheus import (
    BadQuery,
    ByService,
    ByUrl,
    Denied,
    MetricsError,
    Prometheus,
    Unavailable,
)
from ansible_collections.progressive.delivery.plugins.module_utils.release.prometheus_spec import Access


class Scripted:
    """A transport that gives one answer and remembers the question."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = []

    def get(self, path, query):
        self.asked.append((path, dict(query)))
        return self.answer


class Proxy:
    """A Session whose one request gives one answer or raises one error."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = []

    def request(self, method, path, **options):
        self.asked.append((method, path, options))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def success(*series):
    return {"status": "success", "data": {"resultType": "vector", "result": list(series)}}


def test_an_instant_vector_is_labels_and_numbers():
    transport = Scripted(success({"metric": {"pod": "a"}, "value": [1.5, "42"]}, {"metric": {}, "value": [1.5, "NaN"]}))
    (first, second) = Prometheus(transport).instant("up", at_seconds=12.3456)
    assert first == ({"pod": "a"}, 42.0)
    assert second[1] != second[1]
    assert transport.asked == [("api/v1/query", {"query": "up", "time": "12.346"})]


def test_without_a_time_it_is_the_servers_now():
    transport = Scripted(success())
    assert Prometheus(transport).instant("up") == []
    assert transport.asked == [("api/v1/query", {"query": "up"})]


def test_a_range_is_pairs_of_times_and_numbers():
    transport = Scripted(success({"metric": {}, "values": [[1, "2"], [61, "3.5"]]}))
    assert Prometheus(transport).range("up", start_seconds=1, end_seconds=61, step_seconds=60) == [({}, [(1.0, 2.0), (61.0, 3.5)])]
    assert transport.asked == [("api/v1/query_range", {"query": "up", "start": "1.000", "end": "61.000", "step": "60"})]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"status": "error", "errorType": "bad_data", "error": "parse error at char 3"}, "parse error at char 3"),
        ({**success(), "warnings": ["remote read: timeout", "store down"]}, "only in part: remote read: timeout; store down"),
        ({"message": "<html>login</html>"}, "login"),
        (["not", "a", "dictionary"], "not"),
        (None, "None"),
    ],
    ids=["error", "partial", "no json", "a list", "null"],
)
def test_what_is_not_a_whole_success_is_never_a_value(answer, message):
    with pytest.raises(BadQuery, match=message):
        Prometheus(Scripted(answer)).instant("up")


def test_notes_about_the_query_do_not_spoil_the_answer():
    assert Prometheus(Scripted({**success(), "infos": ["metric might not be a counter"]})).instant("up") == []


@pytest.mark.parametrize("status", [400, 422])
def test_a_query_that_prometheus_refuses_is_a_bad_query_through_both_transports(monkeypatch, status):
    body = json.dumps({"status": "error", "error": "parse error"})
    monkeypatch.setattr(prometheus, "open_url", raising(http_error(status, body)))
    for transport in (ByUrl("http://p.example"), ByService(Proxy(error_for(status, "", "parse error", "GET")), "m", "p", "9090")):
        with pytest.raises(BadQuery, match="parse error") as caught:
            transport.get("api/v1/query", {"query": "up("})
        assert caught.value.cause == "bad_query"


@pytest.fixture(autouse=True)
def slept(monkeypatch):
    pauses = []
    monkeypatch.setattr(prometheus.time, "sleep", pauses.append)
    return pauses


@pytest.mark.parametrize("status", [404, 429, 500, 502, 503])
def test_a_prometheus_that_cannot_answer_now_is_no_data_through_both_transports(monkeypatch, status):
    monkeypatch.setattr(prometheus, "open_url", raising(lambda: http_error(status, "Service Unavailable")))
    for transport in (ByUrl("http://p.example"), ByService(Proxy(error_for(status, "", "Service Unavailable", "GET")), "m", "p", "9090")):
        with pytest.raises(Unavailable, match="Service Unavailable") as caught:
            transport.get("api/v1/query", {"query": "up"})
        assert caught.value.cause == "no_data"


@pytest.mark.parametrize("body", ['"a string"', "[]", "{}", "5", "", "<html>"])
def test_an_error_page_of_any_shape_is_still_that_error(monkeypatch, body):
    monkeypatch.setattr(prometheus, "open_url", raising(lambda: http_error(503, body)))
    with pytest.raises(Unavailable, match="HTTP 503"):
        ByUrl("http://p.example").get("api/v1/query", {})


@pytest.mark.parametrize(
    "trouble",
    [URLError("refused"), TimeoutError("timed out"), ConnectionResetError("reset"), IncompleteRead(b"{"), ValueError("no json")],
    ids=lambda trouble: type(trouble).__name__,
)
def test_an_answer_that_does_not_come_or_breaks_off_is_no_data(monkeypatch, trouble):
    monkeypatch.setattr(prometheus, "open_url", raising(trouble))
    with pytest.raises(Unavailable, match=r"http://p\.example"):
        ByUrl("http://p.example").get("api/v1/query", {})


def test_the_url_keeps_its_prefix_and_quotes_the_query(monkeypatch):
    asked = []

    def open_url(url, **options):
        asked.append((url, options["timeout"]))
        return io.BytesIO(json.dumps(success()).encode())

    monkeypatch.setattr(prometheus, "open_url", open_url)
    assert ByUrl("http://p.example/prefix/").get("api/v1/query", {"query": 'a{b="c"}'}) == success()
    assert asked == [("http://p.example/prefix/api/v1/query?query=a%7Bb%3D%22c%22%7D", 5.0)]


def test_a_service_is_asked_through_the_api_servers_proxy():
    session = Proxy(success())
    assert ByService(session, "monitoring", "prometheus", "9090").get("api/v1/query", {"query": "up"}) == success()
    ((method, path, options),) = session.asked
    assert (method, path) == ("GET", "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy/api/v1/query")
    assert options == {"query": {"query": "up"}, "headers": {}, "read_seconds": 5.0}


def test_everything_that_lets_us_in_goes_with_each_question(monkeypatch):
    asked = []
    monkeypatch.setattr(prometheus, "open_url", lambda url, **options: asked.append((url, options)) or io.BytesIO(b"{}"))
    ways = {"username": "ann", "password": "p", "ca_cert": "/ca", "client_cert": "/cert", "client_key": "/key", "validate_certs": False}
    access = Access(path="/prometheus", headers=(("X-Scope-OrgID", "shop"),), timeout_seconds=9.0, **ways)
    ByUrl("https://mimir.example/", access).get("api/v1/query", {"query": "up"})
    ByUrl("https://p.example", Access(token="t")).get("api/v1/query", {"query": "up"})
    (url, options), (_url, with_token) = asked
    assert url == "https://mimir.example/prometheus/api/v1/query?query=up"
    assert options["headers"] == {"X-Scope-OrgID": "shop"} and options["force_basic_auth"] is True
    assert (options["url_username"], options["url_password"], options["timeout"]) == ("ann", "p", 9.0)
    assert (options["ca_path"], options["client_cert"], options["client_key"], options["validate_certs"]) == ("/ca", "/cert", "/key", False)
    assert with_token["headers"] == {"Authorization": "Bearer t"} and with_token["force_basic_auth"] is False


def test_a_tenant_s_header_and_a_path_go_through_the_api_servers_proxy():
    session = Proxy(success())
    ByService(session, "m", "mimir", "8080", Access(path="/prometheus", headers=(("X-Scope-OrgID", "shop"),))).get("api/v1/query", {})
    ((_method, path, options),) = session.asked
    assert path == "/api/v1/namespaces/m/services/mimir:8080/proxy/prometheus/api/v1/query"
    assert options["headers"] == {"X-Scope-OrgID": "shop"}


@pytest.mark.parametrize("status", [401, 403])
def test_who_is_not_let_in_is_told_which_options_see_to_that_and_does_not_ask_twice(monkeypatch, slept, status):
    monkeypatch.setattr(prometheus, "open_url", raising(lambda: http_error(status, "no")))
    with pytest.raises(Denied, match="token, username, client_cert and headers") as caught:
        ByUrl("http://p.example").get("api/v1/query", {})
    assert (caught.value.cause, slept) == ("bad_query", [])


@pytest.mark.parametrize("trouble", [lambda: http_error(503, "starting"), lambda: URLError("refused")])
def test_a_moment_s_trouble_is_tried_once_more(monkeypatch, slept, trouble):
    answers = [trouble(), io.BytesIO(json.dumps(success()).encode())]

    def open_url(*_arguments, **_options):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(prometheus, "open_url", open_url)
    assert ByUrl("http://p.example").get("api/v1/query", {}) == success()
    assert slept == [prometheus.PAUSE_SECONDS]


@pytest.mark.parametrize("trouble", [lambda: http_error(400, "parse error"), lambda: http_error(500, "bug"), lambda: TimeoutError("slow")])
def test_what_would_not_be_better_the_next_moment_is_not_asked_again(monkeypatch, slept, trouble):
    monkeypatch.setattr(prometheus, "open_url", raising(trouble))
    with pytest.raises(MetricsError):
        ByUrl("http://p.example").get("api/v1/query", {})
    assert slept == []


def http_error(status, body):
    return HTTPError("http://p.example", status, "reason", {}, io.BytesIO(body.encode()))


def raising(error):
    def open_url(*_arguments, **_options):
        raise error() if callable(error) else error

    return open_url
