# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks from the pods themselves: whose pods they are, what a pod that does not answer costs, and when nothing may be said."""

import threading
import time

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.look import Counts
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.errors import SlowAnswer, Unreachable
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.session import Text
from ansible_collections.progressive.delivery.plugins.module_utils.metrics import pod_source
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.counters import CANARY, STABLE
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.pod_source import PodArms, PodSource, arms_of, pod_path
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.prometheus import Unavailable
from ansible_collections.progressive.delivery.plugins.module_utils.release.gates_spec import GateSpec, QuantileSpec
from ansible_collections.progressive.delivery.plugins.module_utils.release.parts import PodsSpec
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_api import FakeApi

ERRORS = GateSpec("errors", "error_rate", 0.01, None)
SLOW = GateSpec("slow", "latency", 0.01, 500.0)
WHERE = PodsSpec("http", None, "/metrics", "http")
ARMS = PodArms("eu", {"app": "shop"}, {"app": "shop-canary"}, "app")


def text(ok, failed=0, slow=0):
    return (
        f'http_requests_total{{code="200"}} {ok}\nhttp_requests_total{{code="500"}} {failed}\n'
        f'http_request_duration_seconds_bucket{{le="0.5"}} {ok + failed - slow}\n'
        f'http_request_duration_seconds_bucket{{le="+Inf"}} {ok + failed}\n'
    )


class Pods(FakeApi):
    """Pods of a shop and its canary; said is what each answers: a text, a status, or an exception."""

    def __init__(self, *names, gates=(ERRORS, SLOW), arms=ARMS):
        super().__init__()
        self.said = {}
        self.behind = self._answer
        for name in names:
            self.add(name, {"app": "shop-canary" if name.startswith("canary") else "shop"})
            self.said[name] = text(1000)
        self.source = PodSource(self, arms, WHERE, gates, clock=self.clock)

    def add(self, name, labels, **spec):
        containers = [{"name": "proxy", "ports": [{"containerPort": 1, "name": "p"}]}, {"name": "app", "ports": [{"containerPort": 8080}]}]
        meta = {"name": name, "namespace": "eu", "labels": labels}
        self.put({"kind": "Pod", "metadata": meta, "spec": {"containers": containers, **spec}, "status": {"phase": "Running"}})

    def remove(self, name):
        del self.objects["Pod", "eu", name]

    def _answer(self, path):
        answer = self.said[path.split("/pods/")[1].split(":")[0]]
        if isinstance(answer, Exception):
            raise answer
        return Text(200, {}, answer) if isinstance(answer, str) else Text(answer, {}, "no\n such thing")

    def poll(self, canary=True, stable=True, after=1.0):
        self.seconds += after
        return self.source.poll(canary_expected=canary, stable_expected=stable)


@pytest.fixture
def pods():
    made = Pods("stable-1", "stable-2", "canary-1")
    made.source.prepare()
    return made


def test_a_look_counts_from_before_the_shift_and_adds_the_pods_of_an_arm(pods):
    pods.source.begin_block()
    pods.said.update({"stable-1": text(1040), "stable-2": text(1050, 1, 2), "canary-1": text(1006, 4, 3)})
    answer = pods.poll()
    assert answer.counts == {"errors": (Counts(10, 4), Counts(91, 1)), "slow": (Counts(10, 3), Counts(91, 2))}
    assert (answer.new, answer.closes_block, answer.problem) == (True, False, None)


def test_without_a_zero_the_first_poll_is_the_zero():
    pods = Pods("stable-1", "canary-1")
    assert pods.poll().new is False
    pods.said["canary-1"] = text(1000, 1)
    assert pods.poll().counts["errors"] == (Counts(1, 1), Counts(0, 0))


def test_there_is_a_look_each_second_and_a_block_every_five(pods):
    answers = []
    for second in range(1, 12):
        pods.said["canary-1"] = text(1000 + 10 * second)
        answers.append(pods.poll())
    assert [answer.closes_block for answer in answers] == [False] * 4 + [True] + [False] * 4 + [True, False]
    assert [answer.counts["errors"][0].requests for answer in answers] == [10, 20, 30, 40, 50, 10, 20, 30, 40, 50, 10]


def test_a_new_weight_begins_a_new_block(pods):
    pods.said["canary-1"] = text(1500)
    pods.poll()
    pods.source.begin_block()
    pods.said["canary-1"] = text(1507)
    assert pods.poll().counts["errors"][0] == Counts(7, 0)


def test_who_polls_more_often_than_the_rule_wants_reads_nothing(pods):
    asked = len(pods.asked)
    assert pods.poll(after=0.3).new is False
    assert len(pods.asked) == asked
    pods.poll(after=0.3)
    assert len(pods.asked) == asked + 3


def test_a_pod_that_misses_a_read_loses_nothing(pods):
    pods.said.update({"stable-1": SlowAnswer("no answer within 1 s"), "stable-2": text(1010), "canary-1": text(1010)})
    assert pods.poll().counts["errors"] == (Counts(10, 0), Counts(10, 0))
    pods.said.update({"stable-1": text(1020, 1), "stable-2": text(1020), "canary-1": text(1020)})
    assert pods.poll().counts["errors"] == (Counts(20, 0), Counts(41, 1))


def test_no_look_is_taken_of_the_canary_alone_while_stable_does_not_answer(pods):
    """Both may be failing: what only one arm tells must not be held against it."""
    pods.said.update({"stable-1": 503, "stable-2": 503, "canary-1": text(1000, 50)})
    answers = [pods.poll() for _read in range(3)]
    assert [(answer.new, answer.counts, answer.problem) for answer in answers[:2]] == [(False, {}, None)] * 2
    assert (answers[2].problem, answers[2].detail) == ("no_data", "no pod of stable answers (stable-2: HTTP 503: no such thing)")
    pods.said.update({"stable-1": text(1040), "stable-2": text(1000, 48)})
    assert pods.poll().counts["errors"] == (Counts(50, 50), Counts(88, 48))


def test_an_arm_that_should_have_no_traffic_may_be_silent(pods):
    pods.said.update({"stable-1": 503, "stable-2": 503, "canary-1": text(1009)})
    answers = [pods.poll(stable=False) for _read in range(4)]
    assert [(answer.problem, answer.new) for answer in answers] == [(None, True)] * 4


def test_after_three_missed_reads_a_pod_is_waited_for_no_longer(pods):
    pods.said["stable-1"] = SlowAnswer("no answer within 1 s")
    blocks = [pods.poll().closes_block for _read in range(12)]
    assert blocks.count(True) == 2


def test_a_pod_that_is_new_is_found_and_one_that_is_gone_is_forgotten(pods):
    pods.add("canary-2", {"app": "shop-canary"})
    pods.said["canary-2"] = text(3, 2)
    pods.remove("stable-2")
    pods.source.begin_block()
    assert pods.poll().counts["errors"] == (Counts(5, 2), Counts(0, 0))
    assert "stable-2" not in {name for _arm, name in pods.source.read().pods}


def test_a_pod_that_ended_is_not_asked(pods):
    ended = pods.stored("Pod", "eu", "stable-2")
    pods.put({**ended, "status": {"phase": "Succeeded"}})
    pods.source.begin_block()
    assert set(pods.source.read().pods) == {(STABLE, "stable-1"), (CANARY, "canary-1")}


def test_a_canary_that_counts_nothing_is_no_data_and_no_good_canary(pods):
    pods.said["canary-1"] = "# nothing\n"
    source = PodSource(pods, ARMS, WHERE, (ERRORS,), clock=pods.clock)
    source.prepare()
    pods.seconds += 1
    answer = source.poll(canary_expected=True, stable_expected=True)
    assert (answer.problem, answer.detail) == ("no_data", "no counter of canary among http_requests_total at the first port/metrics")
    pods.said["canary-1"] = text(0, 3)
    pods.seconds += 1
    assert source.poll(canary_expected=True, stable_expected=True).counts["errors"][0] == Counts(3, 3)


def test_a_canary_without_pods_is_no_data():
    pods = Pods("stable-1")
    pods.source.prepare()
    answer = pods.poll()
    assert (answer.problem, answer.detail) == ("no_data", "no running pod of canary")


@pytest.mark.parametrize(
    ("said", "cause"), [("http_requests_total NaN\n", "bad_query"), ('http_requests_total{code="200"} 12', "bad_query")]
)
def test_an_answer_that_is_no_count_is_a_cause_and_names_the_pod(pods, said, cause):
    pods.said["canary-1"] = said
    answer = pods.poll()
    assert (answer.problem, answer.counts) == (cause, {})
    assert answer.detail.startswith("canary-1: ")


def test_an_api_server_that_does_not_answer_is_no_data_and_never_an_empty_list(pods):
    pods.source.begin_block()
    pods.silence(100)
    answer = pods.poll()
    assert (answer.problem, answer.new) == ("no_data", True)
    assert "cannot be listed" in answer.detail


def test_a_restarted_pod_counts_from_zero(pods):
    pods.said["canary-1"] = text(4, 1)
    assert pods.poll().counts["errors"][0] == Counts(5, 1)


def test_a_clock_that_is_set_back_loses_no_sample(pods):
    pods.poll()
    pods.said["canary-1"] = text(1000, 6)
    assert pods.poll(after=-30.0).counts["errors"][0] == Counts(6, 6)


def test_a_pod_that_hangs_delays_nobody_and_is_not_asked_twice_at_once(pods, monkeypatch):
    monkeypatch.setattr(pod_source, "READ_SECONDS", 0.1)
    monkeypatch.setattr(pod_source, "GRACE_SECONDS", 0.05)
    answer, release = pods.behind, threading.Event()

    def hang(path):
        if "/stable-1:" in path:
            release.wait(20)
        return answer(path)

    pods.behind = hang
    pods.said["canary-1"] = text(1002)
    began = time.monotonic()
    looks = [pods.poll() for _look in range(2)]
    assert time.monotonic() - began < 5
    release.set()
    assert [look.counts["errors"][0] for look in looks] == [Counts(2, 0)] * 2
    assert sum("/stable-1:" in path for path in pods.asked[3:]) == 1


def test_pods_of_one_workload_are_told_apart_by_their_template():
    arms = PodArms("eu", {"app": "shop"}, {"app": "shop"}, "app", revision="old")
    pods = Pods(arms=arms)
    for name, template in (("a", "old"), ("b", "new"), ("c", "older")):
        pods.add(name, {"app": "shop", "pod-template-hash": template})
    assert set(arms.find(pods)) == {(STABLE, "a"), (CANARY, "b"), (CANARY, "c")}


class Target:
    """What arms_of needs of a target."""

    namespace, container, revision, switch_label = "eu", "app", None, "app"
    pod_labels = {"app": "shop-canary", "version": "v1", "team": "x"}
    original_template = {"metadata": {"labels": {"app": "shop", "version": "v1", "team": "x"}}}
    new_template = {"metadata": {"labels": {"app": "shop", "version": "v2", "team": "x"}}}
    own_labels: dict[str, str] = {}


def test_a_label_that_the_version_changes_hides_no_pod():
    arms = arms_of(Target)
    assert (arms.stable_labels, arms.canary_labels) == ({"app": "shop", "team": "x"}, {"app": "shop-canary", "team": "x"})


def test_pods_that_joined_stables_service_are_still_the_canarys():
    class Joined(Target):
        own_labels = {"twin": "shop-canary"}

    pods = Pods()
    pods.add("a", {"app": "shop", "team": "x"})
    pods.add("b", {"app": "shop", "team": "x", "twin": "shop-canary"})
    pods.add("c", {"app": "shop-canary", "team": "x", "twin": "shop-canary"})
    assert set(arms_of(Joined).find(pods)) == {(STABLE, "a"), (CANARY, "b"), (CANARY, "c")}


POD = {
    "metadata": {"name": "shop-1", "namespace": "eu"},
    "spec": {
        "containers": [
            {"name": "app", "ports": [{"containerPort": 8080, "name": "web"}, {"containerPort": 9102, "name": "metrics"}]},
            {"name": "other", "ports": [{"containerPort": 7000}]},
        ],
        "initContainers": [{"name": "istio-proxy", "ports": [{"containerPort": 15090, "name": "http-envoy-prom"}]}],
    },
}


@pytest.mark.parametrize(
    ("where", "container", "path"),
    [
        (WHERE, "app", "shop-1:8080/proxy/metrics"),
        (WHERE, "other", "shop-1:7000/proxy/metrics"),
        (WHERE, None, "shop-1:8080/proxy/metrics"),
        (PodsSpec("http", "metrics", "/m", "https"), "app", "https:shop-1:9102/proxy/m"),
        (PodsSpec("istio", "http-envoy-prom", "/stats/prometheus", "http"), "app", "shop-1:15090/proxy/stats/prometheus"),
        (PodsSpec("istio", "15090", "/stats/prometheus", "http"), "app", "shop-1:15090/proxy/stats/prometheus"),
    ],
)
def test_a_port_is_given_to_the_proxy_as_a_number(where, container, path):
    assert pod_path(POD, where, container) == f"/api/v1/namespaces/eu/pods/{path}"


def test_a_port_that_the_pod_does_not_have_is_told_with_those_it_has():
    with pytest.raises(Unavailable, match="no port metric; there is: 7000, http-envoy-prom, metrics, web"):
        pod_path(POD, PodsSpec("http", "metric", "/m", "http"), "app")


def test_envoy_is_asked_for_little_and_the_application_for_what_it_has(pods):
    assert pods.asked[0].endswith("/proxy/metrics")
    source = PodSource(pods, ARMS, PodsSpec("istio", "15090", "/stats/prometheus", "http"), (ERRORS,), clock=pods.clock)
    pods.asked.clear()
    source.read()
    assert {path.partition("?")[2] for path in pods.asked} == {
        "usedonly=&filter=istio_requests_total%7Cistio_request_duration_milliseconds"
    }


def test_a_read_that_cannot_reach_the_api_server_is_a_missed_one(pods):
    pods.said["stable-2"] = Unreachable("connection refused")
    assert pods.poll().counts["errors"] == (Counts(0, 0), Counts(0, 0))


def test_a_quantile_brings_the_canarys_buckets_at_every_bound_the_pods_have():
    tail = GateSpec("tail", "latency", 0.0, None, "threshold", quantile=QuantileSpec(0.99, 500.0))
    pods = Pods("stable-1", "canary-1", gates=(ERRORS, tail))
    pods.source.prepare()
    pods.said["canary-1"] = text(1090, 10, 7).replace(
        "http_request_duration_seconds_bucket", 'http_request_duration_seconds_bucket{le="0.1"} 50\nhttp_request_duration_seconds_bucket', 1
    )
    answer = pods.poll()
    assert answer.buckets == {"tail": ((100.0, 50), (500.0, 93), (float("inf"), 100))}
    assert answer.counts["tail"][0] == Counts(100, 0)


class Replaced(Pods):
    """Pods of a StatefulSet, one of which is another by the time its counters are read."""

    def __init__(self):
        super().__init__(arms=PodArms("eu", {"app": "shop"}, {"app": "shop"}, "app", "old", "StatefulSet"))
        for number in range(3):
            self.be(number, "old", text(1000))
        self.source.prepare()

    def be(self, number, revision, said):
        name = f"shop-{number}"
        self.objects.pop(("Pod", "eu", name), None)
        self.add(name, {"app": "shop", "controller-revision-hash": revision})
        self.said[name] = said


def test_a_pod_that_takes_over_a_name_is_the_canarys_and_its_counters_begin_anew():
    pods = Replaced()
    pods.be(2, "new", text(3, 1))
    assert pods.poll(canary=False).counts["errors"][0] is None, "it is listed after the first look, and counts from the second"
    answer = pods.poll()
    assert answer.counts["errors"] == (Counts(4, 1), Counts(0, 0))
    pods.said["shop-2"] = text(1500, 2)
    assert pods.poll().counts["errors"][0] == Counts(1502, 2), "not what it says beyond the counters of the old pod"


def test_a_pod_that_comes_back_under_its_name_in_the_same_version_begins_anew_too():
    pods = Replaced()
    pods.be(1, "old", text(1400))
    pods.be(2, "new", text(100))
    pods.poll(canary=False)
    assert pods.poll().counts["errors"] == (Counts(100, 0), Counts(0, 0)), "400 more than the one before it is no count of stable's"
    pods.be(2, "new", text(300))
    pods.poll(canary=False)
    assert pods.poll().counts["errors"][0] == Counts(400, 0)


def test_a_look_that_spans_the_replacement_of_a_pod_leaves_its_answer_out():
    pods = Replaced()
    answer = pods._answer

    def replaced_while_read(path):
        if "shop-2" in path:
            pods.be(2, "new", text(5000, 5000))
        return answer(path)

    pods.behind = replaced_while_read
    found = pods.poll(canary=False)
    assert found.counts["errors"] == (None, Counts(0, 0)), "what the new pod said under the old one's name is nobody's"
    pods.behind = answer
    assert pods.poll().counts["errors"][0] == Counts(10000, 5000)
