# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes and matches as users write them, and options that a strategy has no use for."""

import re

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import SpecError, parse
from hypothesis import given
from hypothesis import strategies as st

LEAST = {
    "release_name": "shop",
    "release_namespace": "shop",
    "release_workload": "Deployment/shop",
    "release_image": "registry.example/shop:2.4.0",
    "release_prometheus": {"url": "http://prometheus.example"},
}


def problems(**given_values):
    """field -> allowed of everything that is wrong with the least arguments changed so."""
    with pytest.raises(SpecError) as caught:
        parse({**LEAST, **given_values})
    return {one.field: one.allowed for one in caught.value.problems}


@pytest.mark.parametrize(
    ("written", "field", "says"),
    [
        ({"release_traffic": {"provider": "service", "route": "main"}}, "release_traffic.route", "no rules"),
        ({"release_traffic": {"provider": "linkerd", "virtual_service": "a"}}, "release_traffic.virtual_service", "linkerd knows http_route"),
        ({"release_traffic": {"provider": "gateway_api", "http_route": "a", "grpc_route": "b"}}, "release_traffic", "one of http_route, grpc_route"),
        ({"release_match": [{}]}, "release_match[0]", "at least one of"),
        ({"release_match": [None]}, "release_match[0]", "at least one of"),
        ({"release_match": [{"header": {"a": "b"}}]}, "release_match[0].header", "did you mean headers"),
        ({"release_match": [{"headers": {"a": 1}}]}, "release_match[0].headers.a", "quote numbers"),
        ({"release_match": [{"headers": {"a b": "x"}}]}, "release_match[0].headers.a b", "a name"),
        ({"release_match": [{"headers": {"a": {"is": "x"}}}]}, "release_match[0].headers.a", "one of {exact"),
        ({"release_match": [{"query": {"a": {"regex": "("}}}]}, "release_match[0].query.a", "RE2"),
        ({"release_match": [{"user_agent": "(?!x)"}]}, "release_match[0].user-agent", "RE2"),
        ({"release_match": [{"cookies": {"a": "1", "b": "2"}}]}, "release_match[0]", "one condition for header cookie"),
        ({"release_match_seconds": 5}, "release_match_seconds", "unless release_match"),
        ({"release_strategy": "blue_green", "release_steps": [100]}, "release_steps", "all traffic at once"),
        ({"release_strategy": "shadow", "release_match": [{"user_agent": "x"}]}, "release_match", "use strategy canary"),
        ({"release_strategy": "shadow", "release_gates": []}, "release_gates", "compares nothing"),
        ({"release_rolling": {"max_surge": 1}}, "release_rolling", "use strategy rolling"),
        ({"release_strategy": "rolling", "release_checks": [{"name": "a", "http": {}}]}, "release_checks", "rolling makes none"),
        ({"release_strategy": "rolling", "release_rolling": {"max_surge": 0, "max_unavailable": "0%"}}, "release_rolling", "no pod could ever"),
        ({"release_strategy": "rolling", "release_rolling": {"max_surge": "110%"}}, "release_rolling.max_surge", "a number of pods"),
        ({"release_strategy": "rolling", "release_rolling": {"surge": 1}}, "release_rolling.surge", "did you mean max_surge"),
        (
            {"release_strategy": "rolling", "release_rolling": {"min_ready_seconds": 60, "progress_deadline_seconds": 60}},
            "release_rolling.progress_deadline_seconds",
            "more than min_ready_seconds",
        ),
        ({"release_gates": "zzz", "release_prometheus": None}, "release_prometheus", "is required"),
    ],
)  # fmt: skip
def test_routes_matches_and_options_that_fit_no_strategy_are_refused(written, field, says):
    assert says in problems(**written)[field]


@given(st.text(st.characters(codec="ascii", exclude_characters=";\x00\n\r", exclude_categories=["Zs"]), min_size=1, max_size=12))
def test_a_cookie_is_found_wherever_it_stands_and_only_with_its_value(value):
    (match,) = parse({**LEAST, "release_match": [{"cookies": {"beta": value}}]}).matches
    (condition,) = match.conditions
    for header in (f"beta={value}", f"a=1; beta={value}", f"beta={value}; z=2", f"a=1;beta={value};z"):
        assert re.fullmatch(condition.value, header)
    for header in (f"alphabeta={value}", f"beta={value}x", f"a=beta={value}", "beta="):
        assert not re.fullmatch(condition.value, header)
