# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks before traffic while a release runs: what passes, what ends it with nothing switched, and what is left behind (nothing)."""

import itertools
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.errors import SlowAnswer, Unreachable
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.session import Text
from ansible_collections.progressive.delivery.plugins.module_utils.engine import native
from ansible_collections.progressive.delivery.plugins.module_utils.release import asking as under_test
from ansible_collections.progressive.delivery.plugins.module_utils.release import record
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import parse
from ansible_collections.progressive.delivery.plugins.module_utils.release.target import Refused
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import GIVEN, STABLE, World

POD = {"template": {"spec": {"containers": [{"name": "migrate", "image": "shop:2", "env": [{"name": "IMAGE", "value": "x"}]}]}}}
SMOKE = {"name": "smoke", "http": {"path": "/healthz", "pause_seconds": 0}}
MIGRATE = {"name": "migrate", "job": {"spec": POD, "timeout_seconds": 30}}
JOB = "shop-check-migrate"
PROXY = "/api/v1/namespaces/eu/services/shop-canary:80/proxy"
UNAVAILABLE = '{"kind": "Status", "apiVersion": "v1", "reason": "ServiceUnavailable", "message": "error trying to reach service: EOF"}'


class CheckedWorld(World):
    """The shop, blue-green, with checks; jobs end as self.jobs says."""

    def __init__(self):
        super().__init__()
        self.jobs = [{"type": "Complete", "status": "True"}]
        self.controllers.append(self._run_jobs)

    def _run_jobs(self):
        for job in self._kind("Job"):
            job["status"] = {"conditions": self.jobs}

    def release(self, *checks, **changed):
        return self.start(release_strategy="blue_green", release_steps=None, release_checks=list(checks), **changed)


@pytest.fixture
def world():
    return CheckedWorld()


def assert_not_switched(world, result, *words):
    """The release ended before traffic moved, and says why."""
    assert result["outcome"] == "rolled_back"
    assert result["reason"].startswith("nothing was switched: check ")
    for word in words:
        assert word in result["reason"]
    assert not any(" switch " in line for line in world.lines)
    world.assert_home("shop:1")
    assert world.names("Job") == []


def test_a_canary_that_answers_gets_the_traffic(world):
    world.behind = lambda path: Text(200, {"x-version": "2.1"}, "all is well")
    result = world.release({"name": "smoke", "http": {"path": "/a?b=1", "contains": "well", "header": {"X-Version": {"regex": "2[.].*"}}}})
    assert result["outcome"] == "promoted"
    assert world.asked == [f"{PROXY}/a?b=1"]
    assert any("smoke passed: GET /a?b=1 of shop-canary:80, attempt 1 of 3" in line for line in world.lines)


@pytest.mark.parametrize(
    ("expects", "answer", "words"),
    [
        ({}, Text(500, {}, "no\n database"), ["to answer 200, it answered 500: no database", "attempt 3 of 3"]),
        ({"status": [200, 204]}, Text(404, {}, ""), ["to answer 200 or 204, it answered 404: (empty)"]),
        ({"contains": "well"}, Text(200, {}, "x" * 300), ["with 'well' in it, it answered 200 without that: " + "x" * 200 + "…"]),
        (
            {"header": {"x-version": "2"}},
            Text(200, {"x-version": "1"}, ""),
            ["with header x-version exact '2'", "the header x-version '1'"],
        ),
        ({"header": {"x-version": "2"}}, Text(200, {}, ""), ["it answered 200 with no header x-version"]),
        ({"header": {"x-version": {"prefix": "2."}}}, Text(200, {"x-version": "12."}, ""), ["the header x-version '12.'"]),
        ({}, Text(503, {}, UNAVAILABLE), ["to answer 200, nothing did: error trying to reach service: EOF"]),
        ({}, Text(503, {}, '{"kind": "Sale"}'), ['it answered 503: {"kind": "Sale"}']),
    ],
)
def test_a_wrong_answer_ends_the_release_with_what_was_expected_and_what_came(world, expects, answer, words):
    world.behind = lambda path: answer
    assert_not_switched(world, world.release({"name": "smoke", "http": {"pause_seconds": 0, **expects}}), "check smoke: GET / of", *words)
    assert len(world.asked) == 3


def test_a_later_attempt_that_passes_is_enough_and_the_pause_is_kept(world):
    moments = []

    def slowly_ready(path):
        moments.append(world.clock())
        return Text(200 if len(moments) == 3 else 503, {}, "starting")

    world.behind = slowly_ready
    assert world.release({"name": "smoke", "http": {"pause_seconds": 7}})["outcome"] == "promoted"
    assert [later - earlier for earlier, later in itertools.pairwise(moments)] == [7, 7]


def test_a_canary_that_does_not_answer_fails_and_an_api_server_that_does_not_is_asked_again(world):
    def slow(path):
        raise SlowAnswer("no answer")

    world.behind = slow
    assert_not_switched(world, world.release(SMOKE), "was to answer within 10 s, it did not")
    answers = [Unreachable("connection refused")] * 4 + [Text(200, {}, "")]

    def away(path):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    world.behind = away
    assert world.release(SMOKE)["outcome"] == "promoted"
    assert any("the API server does not answer during check-smoke" in line for line in world.lines)


def test_an_abort_is_seen_while_an_answer_takes_its_time(world, monkeypatch):
    monkeypatch.setattr(under_test, "POLL_SECONDS", 0.02)
    answered = threading.Event()

    def slow(path):
        record.ask_abort(world, record.load(world, "eu", "shop"), {"by": "mia", "reason": "wrong day"})
        answered.wait(10)
        return Text(200, {}, "")

    world.behind = slow
    began = time.monotonic()
    result = world.release(SMOKE)
    answered.set()
    assert (result["outcome"], result["reason"]) == ("aborted", "aborted by mia: wrong day")
    assert time.monotonic() - began < 5
    world.assert_home("shop:1")


def test_a_job_is_told_where_the_canary_is_and_gone_when_the_release_has_ended(world):
    made = []
    world.at["switch "] = lambda: made.append(world.stored("Job", "eu", JOB))
    result = world.release({**MIGRATE, "point_of_no_return": True}, release_no_way_back="it only adds a table")
    assert result["outcome"] == "promoted"
    (job,) = made
    assert {one["name"]: one["value"] for one in job["spec"]["template"]["spec"]["containers"][0]["env"]} == {
        "CANARY_SERVICE": "shop-canary", "STABLE_SERVICE": "shop", "RELEASE_ID": result["release_id"], "IMAGE": "shop:2",
    }  # fmt: skip
    assert job["metadata"]["labels"]["progressive.delivery/release"] == result["release_id"]
    assert (job["spec"]["backoffLimit"], job["spec"]["template"]["spec"]["restartPolicy"]) == (0, "Never")
    assert world.names("Job") == []
    assert any("point of no return" in line for line in world.lines)


def test_a_job_from_a_cronjob_is_its_template_with_the_users_backoff_limit(world):
    pod = {**POD["template"], "metadata": {"labels": {"app": "migrate"}}}
    template = {"metadata": {"labels": {"team": "db"}}, "spec": {"backoffLimit": 2, "suspend": True, "template": pod}}
    world.put({"kind": "CronJob", "metadata": {"name": "migrate", "namespace": "eu"}, "spec": {"suspend": True, "jobTemplate": template}})
    made = []
    world.at["switch "] = lambda: made.append(world.stored("Job", "eu", JOB))
    assert world.release({"name": "migrate", "job": {"from_cronjob": "migrate"}})["outcome"] == "promoted"
    assert (made[0]["spec"]["backoffLimit"], made[0]["metadata"]["labels"]["team"], "suspend" in made[0]["spec"]) == (2, "db", False)


def test_a_job_that_fails_ends_the_release_with_its_last_words(world):
    world.jobs = [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "too often"}]
    status = {"containerStatuses": [{"name": "migrate", "state": {"terminated": {"exitCode": 3, "reason": "Error"}}}]}
    world.put(
        {
            "kind": "Pod",
            "metadata": {"name": "m-1", "namespace": "eu", "labels": {"job-name": JOB}},
            "spec": {"containers": []},
            "status": status,
        }
    )
    world.behind = lambda path: Text(200, {}, "connecting\n\nno table basket\n")
    result = world.release(MIGRATE)
    assert_not_switched(
        world, result, f"check migrate: Job {JOB} was to complete, it failed (BackoffLimitExceeded: too often)",
        "container migrate of pod m-1 ended with exit code 3 (Error)", "its last words: connecting / no table basket",
    )  # fmt: skip
    assert world.asked == ["/api/v1/namespaces/eu/pods/m-1/log?container=migrate&tailLines=5"]


def test_a_job_that_takes_too_long_is_ended_and_what_still_ran_is_named(world):
    world.jobs = []
    status = {"containerStatuses": [{"name": "istio-proxy", "state": {"running": {}}}]}
    world.put(
        {
            "kind": "Pod",
            "metadata": {"name": "m-1", "namespace": "eu", "labels": {"job-name": JOB}},
            "spec": {"containers": []},
            "status": status,
        }
    )
    assert_not_switched(world, world.release(MIGRATE), "it did not within 30 s", "still running: istio-proxy", "its log is empty")


def test_a_job_whose_image_cannot_be_had_is_not_waited_for(world):
    world.jobs = []
    status = {"containerStatuses": [{"name": "migrate", "state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}}}]}
    world.put(
        {
            "kind": "Pod",
            "metadata": {"name": "m-1", "namespace": "eu", "labels": {"job-name": JOB}},
            "spec": {"containers": []},
            "status": status,
        }
    )
    began = world.clock()
    assert_not_switched(world, world.release(MIGRATE), "cannot run: pod m-1: ErrImagePull: not found")
    assert world.clock() - began < 30


def test_a_runner_that_takes_over_adopts_the_job_and_does_not_run_it_twice(world):
    world.jobs = []

    def die():
        raise SystemExit

    world.at["Job shop-check-migrate runs"] = die
    native.runner.turn_back, whole = lambda context, why: why.outcome, native.runner.turn_back
    try:
        with pytest.raises(SystemExit):
            world.release(MIGRATE)
    finally:
        native.runner.turn_back = whole
    found = world.stored("ConfigMap", "eu", "release-shop")
    found["data"]["state"] = found["data"]["state"].replace('"phase":"ended"', '"phase":"running"')
    world.put(found)
    world.jobs = [{"type": "Complete", "status": "True"}]
    world._reconcile()
    assert world.release(MIGRATE)["outcome"] == "promoted"
    assert world.writes().count("POST Job") == 1
    assert world.names("Job") == []


def test_a_job_that_an_earlier_release_left_makes_room_and_a_strangers_does_not(world):
    ours = {"app.kubernetes.io/managed-by": "progressive.delivery", "progressive.delivery/release": "shop-000000"}
    left = {"kind": "Job", "metadata": {"name": JOB, "namespace": "eu", "labels": ours}, "spec": POD}
    world.put(left)
    assert world.release(MIGRATE)["outcome"] == "promoted"
    assert world.writes().count("DELETE Job/shop-check-migrate") == 2
    other = CheckedWorld()
    other.put({**left, "metadata": {**left["metadata"], "labels": {}}})
    with pytest.raises(Refused, match="exists and is not ours; if nobody needs it: kubectl -n eu delete job shop-check-migrate"):
        other.release(MIGRATE)
    assert other.names("Job") == [JOB]


def test_a_job_that_somebody_deletes_is_no_success(world):
    world.jobs = []
    world.at["Job shop-check-migrate runs"] = lambda: world.objects.pop(("Job", "eu", JOB))
    assert_not_switched(world, world.release(MIGRATE), "it was deleted by somebody else")


def test_an_abort_by_another_process_removes_the_job_too(world):
    assert world.release(MIGRATE, release_stop_after="check-migrate")["outcome"] == "running"
    assert world.names("Job") == [JOB]
    assert native.abort(world, "eu", "shop", world.caller, by="mia", reason="")["outcome"] == "aborted"
    world.assert_home("shop:1")
    assert world.names("Job") == []


@pytest.mark.parametrize(
    ("check", "denied", "field", "words"),
    [
        ({"name": "smoke", "http": {"port": "grpc"}}, (), "release_checks[0].http.port", "a port of Service shop: 80"),
        ({"name": "m", "job": {"from_cronjob": "nightly"}}, (), "release_checks[0].job.from_cronjob", "there is: none"),
        (
            {"name": "m", "job": {"spec": {"template": {**POD["template"], "metadata": {"labels": {"app": "shop"}}}}}},
            (), "release_checks[0].job", "Service shop would send traffic to the Job's pods",
        ),
        (
            {"name": "m", "job": {"spec": {"template": {**POD["template"], "metadata": {"labels": {"app": "shop-canary"}}}}}},
            (), "release_checks[0].job", "Service shop-canary would send traffic to the Job's pods",
        ),
        (SMOKE, ("get", "services/proxy"), "release_namespace", "you may get services/proxy"),
        (MIGRATE, ("create", "jobs"), "release_namespace", "you may create Job objects"),
        ({"name": "m", "job": {"from_cronjob": "nightly"}}, ("get", "cronjobs"), "release_namespace", "you may get CronJob objects"),
    ],
)  # fmt: skip
def test_a_check_that_cannot_run_refuses_the_release_before_anything_changes(world, check, denied, field, words):
    world.denied = {denied}
    with pytest.raises(Refused) as caught:
        world.release(check)
    assert any(words in one.allowed for one in caught.value.problems if one.field == field)
    assert world.writes() == []


def test_the_plan_shows_each_check_and_the_point_of_no_return_and_runs_none(world):
    given = {
        **GIVEN,
        "release_checks": [SMOKE, {**MIGRATE, "point_of_no_return": True}, {"name": "hook", "webhook": {"url": "http://h.example/x"}}],
        "release_no_way_back": "it only adds a table",
    }
    result = native.start(world, parse(given), world.caller, check_mode=True)
    assert f"Job/{JOB}" in [one["after_header"] for one in result["diff"]]
    said = [line.strip() for line in world.lines]
    assert "check smoke before any traffic: GET /healthz answers 200" in said
    assert "check migrate before any traffic: a Job completes within 30 s" in said
    assert "point of no return: check migrate; what its Job has done stays, also when the release goes back" in said
    assert "accepted without asking stable: it only adds a table (release_no_way_back)" in said
    assert "check hook before any traffic: POST to http://h.example answers 2xx" in said
    assert (world.asked, world.writes(), world.route) == ([], [], [STABLE])


class Hook(BaseHTTPRequestHandler):
    """A webhook that answers what its server says and remembers what it was sent."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.seen.append((self.path, dict(self.headers), body))
        status, text = self.server.answers.pop(0)
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.wfile.write(text.replace("ECHO", self.headers.get("Authorization", "") + self.path).encode())

    def log_message(self, *_arguments):
        pass


@pytest.fixture
def hook():
    server = HTTPServer(("127.0.0.1", 0), Hook)
    server.seen, server.answers = [], []
    server.written = {
        "url": f"http://127.0.0.1:{server.server_port}/allow/s3cr3t-path",
        "headers": {"Authorization": "Bearer s3cr3t-token"},
    }
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_webhook_is_told_what_is_about_to_happen_and_may_agree_later(world, hook):
    hook.answers = [(503, "wait"), (204, "")]
    result = world.release({"name": "gate", "webhook": hook.written})
    assert result["outcome"] == "promoted"
    path, headers, body = hook.seen[-1]
    assert (path, headers["Authorization"], headers["Content-Type"]) == ("/allow/s3cr3t-path", "Bearer s3cr3t-token", "application/json")
    assert json.loads(body) == {
        "release_name": "shop", "release_id": result["release_id"], "namespace": "eu", "workload": "Deployment/shop", "image": "shop:2",
        "canary_service": "shop-canary", "phase": "pre-traffic",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "words"),
    [((403, "frozen until Monday, you sent ECHO"), "403: frozen until Monday, you sent"), ((302, "moved"), "answered 302")],
)
def test_a_refusal_ends_the_release_with_its_words_and_without_secrets(world, hook, answer, words):
    hook.answers = [answer] * 2
    result = world.release({"name": "gate", "webhook": {**hook.written, "attempts": 2}})
    assert_not_switched(world, result, "was to answer 2xx", words, "attempt 2 of 2", f"http://127.0.0.1:{hook.server_port}")
    assert [seen[0] for seen in hook.seen] == ["/allow/s3cr3t-path"] * 2
    said = "\n".join([*world.lines, result["reason"], str(world.stored("ConfigMap", "eu", "release-shop"))])
    assert "s3cr3t" not in said


def test_a_webhook_that_is_not_there_is_no_agreement(world, hook):
    hook.server_close()
    assert_not_switched(world, world.release({"name": "gate", "webhook": {**hook.written, "attempts": 1}}), "there was no answer")
