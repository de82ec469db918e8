# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who counts: by name, by counters of one's own, and which of them can tell the versions of a release apart."""

import json

import pytest
import yaml
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.sources import LINKERD, PER_POD, SOURCES
from ansible_collections.progressive.delivery.plugins.module_utils.release import source_spec
from ansible_collections.progressive.delivery.plugins.module_utils.release.preflight import able
from ansible_collections.progressive.delivery.plugins.module_utils.release.saved import spec_from
from ansible_collections.progressive.delivery.plugins.module_utils.release.source_spec import OwnSource
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import SpecError, parse
from ansible_collections.progressive.delivery.plugins.modules.release import DOCUMENTATION

LEAST = {
    "release_name": "shop",
    "release_namespace": "shop",
    "release_workload": "Deployment/shop",
    "release_image": "registry.example/shop:2.4.0",
    "release_prometheus": {"url": "http://prometheus.example"},
}
GIVEN = {
    "requests": "shop_orders_total",
    "failed": {"outcome": "error|time_?out"},
    "latency": "shop_order_seconds",
    "labels": {"env": "{namespace}-[0-9]{2}"},
    "stable": {"app": "{stable}", "track": "stable"},
    "canary": {"app": "{canary}", "track": "canary|next"},
}
READ = OwnSource(
    "shop_orders_total",
    (("outcome", "error|time_?out"),),
    "shop_order_seconds",
    1000.0,
    (("env", "{namespace}-[0-9]{2}"),),
    (("app", "{stable}"), ("track", "stable")),
    (("app", "{canary}"), ("track", "canary|next")),
)
LEAST_OWN = {"requests": "orders_total", "stable": {"track": "stable"}, "canary": {"track": "canary"}}
SERVICE = {"release_traffic": {"provider": "service", "service": "shop"}}
SUBSETS = {"release_traffic": {"subsets": {"canary": "next", "stable": "now"}}}
SWAP = {"release_promotion": "swap"}
ROLLING = {"release_strategy": "rolling"}


def problems(**changed):
    with pytest.raises(SpecError) as caught:
        parse({**LEAST, **changed})
    return {one.field: one.allowed for one in caught.value.problems}


def test_the_catalogue_and_the_names_that_may_be_given_are_the_same():
    assert tuple(SOURCES) == source_spec.NAMES
    assert {name for name, one in SOURCES.items() if one.own_pods} == set(source_spec.OWN_PODS)
    assert {name for name, one in SOURCES.items() if one.arms_are == "service"} == set(source_spec.BY_SERVICE)
    assert {*source_spec.OWN_PODS, *source_spec.BY_WORKLOAD, *source_spec.BY_SERVICE} == set(SOURCES)
    assert {*PER_POD, *LINKERD} <= set(SOURCES)


def test_the_documentation_names_every_source():
    said = " ".join(yaml.safe_load(DOCUMENTATION)["options"]["release_metrics_source"]["description"])
    assert [name for name in source_spec.CHOICES if f"V({name})" not in said] == []


@pytest.mark.parametrize("name", [name for name in source_spec.CHOICES if name != "pods"])
def test_every_name_can_be_given(name):
    spec = parse({**LEAST, "release_metrics_source": name})
    assert (spec.metrics_source, spec.own_source) == (name, None)


def test_counters_of_ones_own_need_little():
    spec = parse({**LEAST, "release_metrics_source": yaml.safe_dump(LEAST_OWN)})
    assert spec.metrics_source == "own"
    plain = OwnSource("orders_total", (("code", "5..|0"),), None, 1000.0, (), (("track", "stable"),), (("track", "canary"),))
    assert spec.own_source == plain


def test_a_histogram_may_be_named_by_its_buckets_and_count_in_milliseconds():
    own = parse({**LEAST, "release_metrics_source": {**GIVEN, "latency": "order_ms_bucket", "unit": "ms"}}).own_source
    assert (own.latency, own.unit_ms) == ("order_ms", 1.0)


def test_a_record_gives_the_source_back():
    spec = parse({**LEAST, "release_metrics_source": GIVEN})
    saved = json.loads(json.dumps(spec.to_dict()))
    assert spec_from(saved).own_source == READ == spec.own_source
    assert spec_from({name: value for name, value in saved.items() if name != "own_source"}).own_source is None


@pytest.mark.parametrize(
    ("wrong", "field", "says"),
    [
        ("istio_destinatoin", "", "did you mean istio_destination?"),
        ("nginx", "", "did you mean ingress_nginx?"),
        ("statsd", "", "one of auto, istio_destination"),
        (7, "", "or a dictionary with counters of your own"),
        ({**GIVEN, "request": "x"}, ".request", "did you mean requests?"),
        ({**GIVEN, "requests": None}, ".requests", "is required"),
        ({**GIVEN, "requests": "orders{app='x'}"}, ".requests", "without labels"),
        ({**GIVEN, "stable": None}, ".stable", "labels that only stable's series have"),
        ({**GIVEN, "canary": {}}, ".canary", "labels that only canary's series have"),
        ({**GIVEN, "canary": GIVEN["stable"]}, ".canary", "could not be told apart"),
        ({**GIVEN, "canary": {"pod": "{canary_pod}"}}, ".canary.pod", "one of {namespace}, {workload}"),
        ({**GIVEN, "failed": {"outcome": "[a"}}, ".failed.outcome", "a regular expression"),
        ({**GIVEN, "failed": {"outcome": "(?!ok).*"}}, ".failed.outcome", "RE2"),
        ({**GIVEN, "failed": {"code": 500}}, ".failed.code", "quote numbers"),
        ({**GIVEN, "labels": {"a-b": "x"}}, ".labels.a-b", "the name of a label"),
        ({**GIVEN, "unit": "min"}, ".unit", "one of s, ms"),
        ({**LEAST_OWN, "unit": "ms"}, ".unit", "unless latency names a histogram"),
    ],
    ids=str,
)
def test_what_cannot_be_counted_is_refused_with_what_can(wrong, field, says):
    assert says in problems(release_metrics_source=wrong)[f"release_metrics_source{field}"]


def test_a_gate_on_latency_needs_a_histogram():
    gate = [{"latency": {"slower_than": "250ms", "max": "1%"}}]
    found = problems(release_metrics_source=LEAST_OWN, release_gates=gate)
    assert "release_metrics_source.latency names none" in found["release_gates[0].latency"]
    assert parse({**LEAST, "release_metrics_source": GIVEN, "release_gates": gate}).own_source == READ


@pytest.mark.parametrize("how", [ROLLING, SERVICE, SWAP, SUBSETS], ids=["rolling", "service", "swap", "subsets"])
@pytest.mark.parametrize("name", source_spec.OWN_PODS)
def test_who_tells_pods_apart_fits_every_release(name, how):
    assert parse({**LEAST, **how, "release_metrics_source": name}).metrics_source == name


@pytest.mark.parametrize(
    ("how", "refused"),
    [
        (ROLLING, {*source_spec.BY_WORKLOAD, *source_spec.BY_SERVICE}),
        (SERVICE, set(source_spec.BY_SERVICE)),
        ({**SERVICE, "release_strategy": "blue_green"}, set(source_spec.BY_SERVICE)),
        (SWAP, {*source_spec.BY_SERVICE} - {"istio_source"}),
        (SUBSETS, {*source_spec.BY_SERVICE} - {"istio_source"}),
    ],
    ids=["rolling", "replicas", "switched service", "swap", "subsets"],
)
def test_who_counts_both_versions_as_one_is_refused(how, refused):
    for name in (*source_spec.BY_WORKLOAD, *source_spec.BY_SERVICE):
        if name in refused:
            assert problems(**how, release_metrics_source=name)["release_metrics_source"].startswith("a source that tells ")
        else:
            assert parse({**LEAST, **how, "release_metrics_source": name}).metrics_source == name


def test_rolling_gives_both_versions_one_name():
    assert "rolling gives old and new pods one name" in problems(**ROLLING, release_metrics_source=GIVEN)["release_metrics_source"]


def test_an_ingress_is_no_route_of_a_release():
    found = []
    able(parse({**LEAST, "release_metrics_source": "ingress_nginx"}), found)
    (problem,) = found
    assert (problem.field, problem.value) == ("release_metrics_source", "ingress_nginx")
    assert "no router moves the weights of an Ingress" in problem.allowed
    able(parse({**LEAST, "release_metrics_source": "ingress_nginx", "release_gates": []}), again := [])
    assert again == []
